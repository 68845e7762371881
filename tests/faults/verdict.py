"""What must hold after every fault: nothing lost, nothing done twice, nothing left behind, every file what it says."""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass, field

from distillery.states import JobState
from jobs.errors import JobNotFound
from jobs.tables import Job
from tests.faults.stack import Stack

_SETTLE_SECONDS = 15.0


@dataclass
class Verdict:
    """Counts over the jobs of a campaign; `notes` say what each problem was."""

    faults: int = 0
    accepted: int = 0
    finished: int = 0
    lost: int = 0
    doubled: int = 0
    orphans: int = 0
    damaged: int = 0
    notes: list[str] = field(default_factory=list)

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.orphans or self.damaged)

    def add(self, other: Verdict) -> None:
        """Counts another campaign's jobs too."""
        for name in ("faults", "accepted", "finished", "lost", "doubled", "orphans", "damaged"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.notes += other.notes


def judge(stack: Stack) -> Verdict:
    """Looks at every accepted job once all have ended, or should have."""
    verdict = Verdict(faults=sum(stack.faults.values()), accepted=len(stack.accepted))
    for job_id in stack.accepted:
        try:
            job = stack.job(job_id)
        except JobNotFound:
            verdict.lost += 1
            verdict.notes.append(f"{job_id}: accepted, and not there")
            continue
        if job.state.terminal:
            verdict.finished += 1
        elif job.state is not JobState.PAUSED:
            verdict.lost += 1
            verdict.notes.append(f"{job_id}: still {job.state}")
        _look_at(stack, job, verdict)
    verdict.orphans = _orphans(stack)
    return verdict


def _look_at(stack: Stack, job: Job, verdict: Verdict) -> None:
    with stack.database.read() as repository:
        events = repository.events(job.id, 0, 100_000)
        metrics = repository.metrics(job.id)
        files = repository.artifacts(job.id)
    kinds = [event.type for event in events]
    doubled = []
    if kinds.count("ended") != int(job.state.terminal):
        doubled.append(f"{kinds.count('ended')} terminal events")
    if kinds.count("created") != 1:
        doubled.append(f"{kinds.count('created')} creations")
    epochs = [(event.data["phase"], event.data["repeat"], event.data["epoch"]) for event in events
              if event.type == "epoch_end"]  # fmt: skip
    # a retry has the epochs before its checkpoint from the job that it repeats, without the events
    if len(set(epochs)) != len(epochs) or (len(epochs) != len(metrics) and job.retry_of is None):
        doubled.append(f"{len(epochs)} ends of epochs, {len(metrics)} epochs")
    if [event.seq for event in events] != list(range(1, job.last_event + 1)):
        doubled.append("the numbers of its events have gaps")
    if kinds.count("claimed") != job.attempt:
        doubled.append(f"{kinds.count('claimed')} claims in {job.attempt} attempts")
    verdict.doubled += bool(doubled)
    verdict.notes += [f"{job.id}: {problem}" for problem in doubled]
    for file in files:
        with stack.store.open(file.key) as stored:
            if hashlib.sha256(stored.read()).hexdigest() != file.sha256:
                verdict.damaged += 1
                verdict.notes.append(f"{job.id}: {file.name} is not what is listed")


def _orphans(stack: Stack) -> int:
    """Trainers that are still there though every job has ended."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while stack.trainers() and time.monotonic() < deadline:
        time.sleep(0.1)
    return len(stack.trainers())
