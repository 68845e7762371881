"""ETA estimator: how much of a job is done, and how long the rest will take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from kd_engine.schema.phases import NodeName, Phase


@dataclass(frozen=True)
class Expected:
    """What the epochs of a kind of phase are expected to take.

    Attributes:
        later: seconds of an epoch when all that can be found is found.
        more: seconds that the first one takes beyond that.
        left: the share of those that each epoch leaves to the next.
    """

    later: float
    more: float = 0.0
    left: float = 0.0

    def epochs(self, done: float, end: float) -> float:
        """Seconds from `done` epochs to `end` epochs; fractions count."""
        return self.later * (end - done) + self.more * (self._found(end) - self._found(done))

    def _found(self, epochs: float) -> float:
        """The integral, from 0 to `epochs`, of what an epoch computes anew, in first epochs."""
        whole = int(epochs)
        full = whole if self.left == 1 else (1 - self.left**whole) / (1 - self.left)
        return full + (epochs - whole) * self.left**whole


_ONE = Expected(1.0)


class EtaEstimator:
    """Estimates what is left from the epochs that were measured, and from what epochs are expected to take.

    What is expected need only be right in proportion: measured epochs say what is to be multiplied. Without
    expectations, all epochs are alike.

    Args:
        epochs: of each training of the job, in order; 0 of a network that is given.
    """

    def __init__(self, epochs: Mapping[NodeName, int]) -> None:
        self._epochs = dict(epochs)
        self._done: dict[NodeName, float] = dict.fromkeys(self._epochs, 0.0)
        self._expected: dict[Phase, Expected] = {}
        self._ratio: dict[Phase, float] = {}  # of measured and expected seconds, the latest phase last
        self._measured: dict[Phase, int] = {}
        self._end_seconds = 0.0

    def expect(self, expected: dict[Phase, Expected], end_seconds: float = 0.0) -> None:
        """What the epochs of each kind of phase, and what comes after all of them, are expected to take."""
        self._expected, self._end_seconds = dict(expected), end_seconds

    def found(self, phase: Phase, share: float) -> None:
        """Of what its first epoch would compute, so much is there already."""
        if phase in self._expected and phase not in self._measured:
            expected = self._expected[phase]
            self._expected[phase] = replace(expected, more=expected.more * (1 - share))

    def skip(self, name: NodeName) -> None:
        """This turned out to need no training: it leaves the plan."""
        self._epochs[name] = 0

    def end(self) -> None:
        """What is left of the plan turned out not to be needed."""
        self._epochs = {key: epochs if self._done[key] >= epochs else 0 for key, epochs in self._epochs.items()}

    def at(self, name: NodeName, epochs: float) -> None:
        """This training stands at `epochs` done; fractions count."""
        self._done[name] = epochs

    def measured(self, phase: Phase, seconds: float) -> None:
        """An epoch of such a phase took so long, evaluation included."""
        count = self._measured.get(phase, 0)
        self._measured[phase] = count + 1
        ratio = seconds / self._expected.get(phase, _ONE).epochs(count, count + 1)
        # the first epoch also warms things up: once there is a second one, it says nothing of the rest
        known = self._ratio.pop(phase, ratio) if count > 1 else ratio
        self._ratio.pop(phase, None)
        self._ratio[phase] = 0.7 * known + 0.3 * ratio

    @property
    def fraction(self) -> float:
        """Share of the job's epochs that are done, 0 to 1."""
        total = sum(self._epochs.values())
        done = sum(min(self._done[key], epochs) for key, epochs in self._epochs.items())
        return done / total if total else 0.0

    @property
    def seconds_remaining(self) -> float | None:
        """Estimated seconds to the job's end; None before the first epoch."""
        if not self._ratio:
            return None
        latest = next(reversed(self._ratio.values()))
        seconds = self._end_seconds
        for phase in dict.fromkeys(name.phase for name in self._epochs):
            keys = [name for name in self._epochs if name.phase == phase]
            end = sum(self._epochs[key] for key in keys)
            done = sum(min(self._done[key], self._epochs[key]) for key in keys)
            if end > done:
                left = self._expected.get(phase, _ONE).epochs(done, end)
                seconds += left * self._ratio.get(phase, latest)
        return seconds
