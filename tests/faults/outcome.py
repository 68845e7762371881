"""What the hostile soak has counted and measured, and whether all was as it should be."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import psutil

from tests.faults.strangers import Tally
from tests.faults.verdict import Verdict

# The largest of the last third of the time, of the largest of the third before, at most.
MOST_GROWTH = 1.15


@dataclass
class Samples:
    """Resident MiB of one process, in the order of time."""

    found: list[tuple[float, float]] = field(default_factory=list)

    def largest(self, after: float, before: float) -> float:
        """Between two parts of the time, in [0, 1]."""
        begins, ends = self.found[0][0], self.found[-1][0]
        first, last = (begins + part * (ends - begins) for part in (after, before))
        return max((size for at, size in self.found if first <= at <= last), default=0.0)

    @property
    def early(self) -> float:
        return self.largest(1 / 3, 2 / 3)

    @property
    def late(self) -> float:
        return self.largest(2 / 3, 1)


@dataclass
class Outcome:
    """What was done, and what came of it.

    Attributes:
        health: seconds of each answer of /healthz.
        left, unswept: files that are still there after the garbage collector, and before.
        seen: processes below a worker that were alive when they were last looked for.
    """

    tally: Tally = field(default_factory=Tally)
    verdict: Verdict = field(default_factory=Verdict)
    api: Samples = field(default_factory=Samples)
    worker: Samples = field(default_factory=Samples)
    health: list[float] = field(default_factory=list)
    unanswered: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    honest_jobs: int = 0
    seconds: float = 0.0
    all_seconds: float = 0.0
    idle: int = 0
    crowd: int = 0
    honest: Tally = field(default_factory=Tally)
    unswept: int = 0
    left: list[str] = field(default_factory=list)
    seen: set[psutil.Process] = field(default_factory=set)

    def children(self) -> list[psutil.Process]:
        """Processes that a worker has started, or its trainers, and that are still there."""
        return [process for process in self.seen if _lives(process)]

    @property
    def succeeded(self) -> int:
        return self.honest.counts["job succeeded"]

    @property
    def flat(self) -> bool:
        """Whether api and worker hold no more at the end than MOST_GROWTH allows."""
        return all(samples.late <= MOST_GROWTH * samples.early for samples in (self.api, self.worker))

    @property
    def wrong(self) -> list[str]:
        """All that is not as it should be, but the growth of memory."""
        return [
            *self.honest.wrong,
            *self.tally.wrong,
            *self.verdict.notes,
            *([f"/healthz did not answer {self.unanswered} times"] if self.unanswered else []),
            *(f"{name}: left behind" for name in self.left),
            *(f"{process}: an orphan" for process in self.children()),
        ]


def _lives(process: psutil.Process) -> bool:
    try:
        alive: bool = process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
    return alive
