"""Measures several ways of doing the same work in turns, so that a noisy machine is noisy for all of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median

ROUNDS = 5


@dataclass(frozen=True)
class Measured:
    """Seconds of each round, by the name of the contestant."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return median(self.seconds[name])

    def speedup(self, name: str, baseline: str) -> float:
        """How many times faster `name` is: the median over rounds of the ratio within a round."""
        return median(slow / fast for slow, fast in zip(self.seconds[baseline], self.seconds[name], strict=True))


def in_turns(contestants: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> Measured:
    """Runs each contestant once to warm up, then `rounds` times, taking turns.

    A contestant that returns a float says itself how many seconds its work took, without what went around it.
    """
    for work in contestants.values():
        work()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            start = time.perf_counter()
            told = work()
            seconds[name].append(told if isinstance(told, float) else time.perf_counter() - start)
    return Measured(seconds)
