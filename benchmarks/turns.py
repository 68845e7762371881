"""Measures several ways of doing the same work in turns, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

ROUNDS = 5


@dataclass(frozen=True)
class Measured:
    """Seconds of each round, by the name of the contestant.

    Attributes:
        seconds: as a clock on the wall sees them.
        cpu_seconds: that this process computed, in all of its threads. On a machine that others use too, these still
            say something; they say nothing of how well the cores were used.
    """

    seconds: Mapping[str, list[float]]
    cpu_seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def speedup(self, name: str, baseline: str) -> float:
        """How many times faster `name` is: the median over rounds of the ratio within a round."""
        return _ratio(self.seconds, name, baseline)

    def cpu_speedup(self, name: str, baseline: str) -> float:
        """How many times less `name` computes, in the same way."""
        return _ratio(self.cpu_seconds, name, baseline)


def _ratio(seconds: Mapping[str, list[float]], name: str, baseline: str) -> float:
    return median(slow / fast for slow, fast in zip(seconds[baseline], seconds[name], strict=True))


def in_turns(contestants: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> Measured:
    """Runs each contestant once to warm up, then `rounds` times, taking turns.

    A contestant that returns a float says itself how many seconds its work took, without what went around it.
    """
    for work in contestants.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    cpu_seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            start, cpu_start = time.perf_counter(), time.process_time()
            told = work()
            cpu_seconds[name].append(time.process_time() - cpu_start)
            seconds[name].append(told if isinstance(told, float) else time.perf_counter() - start)
    return Measured(seconds, cpu_seconds)
