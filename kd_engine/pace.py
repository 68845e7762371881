"""How much of a job is done, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kd_engine.events import Phase


@dataclass(frozen=True)
class PlannedPhase:
    """One phase of the job's plan; a teacher that is given or cached needs 0 epochs."""

    phase: Phase
    repeat: int
    epochs: int


class Pace:
    """Measures seconds per epoch for each kind of phase, and estimates from them."""

    def __init__(self, plan: Sequence[PlannedPhase]) -> None:
        self._epochs = {(item.phase, item.repeat): item.epochs for item in plan}
        self._done: dict[tuple[Phase, int], float] = dict.fromkeys(self._epochs, 0.0)
        self._seconds: dict[Phase, float] = {}
        self._measured: dict[Phase, int] = {}

    def skip(self, phase: Phase, repeat: int) -> None:
        """The phase turned out to need no training: it leaves the plan."""
        self._epochs[phase, repeat] = 0

    def end(self) -> None:
        """What is left of the plan turned out not to be needed."""
        self._epochs = {key: epochs if self._done[key] >= epochs else 0 for key, epochs in self._epochs.items()}

    def at(self, phase: Phase, repeat: int, epochs: float) -> None:
        """The phase stands at `epochs` done; fractions count."""
        self._done[phase, repeat] = epochs

    def measured(self, phase: Phase, seconds: float) -> None:
        """An epoch of such a phase took so long, evaluation included."""
        self._measured[phase] = self._measured.get(phase, 0) + 1
        # the first epoch also warms things up: once there is a second one, it says nothing of the rest
        known = self._seconds.get(phase) if self._measured[phase] > 2 else None
        self._seconds[phase] = seconds if known is None else 0.7 * known + 0.3 * seconds

    @property
    def fraction(self) -> float:
        """Share of the job's epochs that are done, 0 to 1."""
        total = sum(self._epochs.values())
        done = sum(min(self._done[key], epochs) for key, epochs in self._epochs.items())
        return done / total if total else 0.0

    @property
    def seconds_remaining(self) -> float | None:
        """Estimated seconds to the job's end; None before the first epoch. Phases not yet seen take the latest pace."""
        if not self._seconds:
            return None
        latest = next(reversed(self._seconds.values()))
        left = ((phase, epochs - min(self._done[phase, repeat], epochs))
                for (phase, repeat), epochs in self._epochs.items())  # fmt: skip
        return sum(epochs * self._seconds.get(phase, latest) for phase, epochs in left)
