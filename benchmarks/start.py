"""From POST /jobs to the first training step on an idle worker, with the account of where the seconds go."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.service import Service, running
from benchmarks.turns import ROUNDS

SPEC: dict[str, Any] = {
    "dataset": "digits", "teacher": "mnist_cnn", "student": "softmax_regression", "temperature": 5,
    "training": {"epochs": 1000},
}  # fmt: skip
STAGES = (
    "recorded and answered",
    "claimed by the worker",
    "trainer process started",
    "Python and torch imported",
    "device set up",
    "data read, network built",
    "first step done",
    "first step seen by GET",
)
_FIRST_STEP = STAGES.index("first step done")
_POLL_SECONDS = 0.002
_CANCEL_POLL_SECONDS = 0.1
_PATIENCE_SECONDS = 60.0
_TERMINAL = ("succeeded", "failed", "cancelled")


def run(rounds: int = ROUNDS) -> None:
    """Prints the account, the median of each line."""
    with running(worker=True) as service:
        account(service)  # the first job finds torch's files on the disk, the others in memory
        accounts = [account(service) for _ in range(rounds)]
    firsts = [reached[_FIRST_STEP] for reached in accounts]
    print(f"from POST /jobs to the first training step, idle worker, median of {rounds} jobs: {median(firsts):.2f} s")
    print(
        f"  floor: 4 s (stretch 1 s); {min(firsts):.2f} to {max(firsts):.2f} s; the account of the job in the middle:"
    )
    before = 0.0
    for stage, reached in zip(STAGES, _median_account(accounts), strict=True):
        print(f"  {reached:6.2f} s  (+{reached - before:5.2f})  {stage}")
        before = reached


def _median_account(accounts: list[list[float]]) -> list[float]:
    """Of the job in the middle, and not line by line, so that the lines add up."""
    return sorted(accounts, key=lambda reached: reached[_FIRST_STEP])[len(accounts) // 2]


def account(service: Service) -> list[float]:
    """Seconds since just before the POST at which each stage was reached, all by this machine's clock."""
    start = time.time()
    job_id = service.client.jobs.run(SPEC).id
    moments = [time.time()]
    folder = service.settings.runs_dir / job_id / "1"
    moments += [_when((folder / "trainer.log").exists), _when((folder / "events.jsonl").exists)]
    for event in ("run_started", "phase_started", "progress"):
        moments.append(_when(_Told(folder / "events.jsonl", event)))
    moments.append(_when(lambda: service.client.jobs.get(job_id).info.progress is not None))
    moments.insert(1, _claimed(service, job_id))
    _cancel(service, job_id)
    return [moment - start for moment in moments]


class _Told:
    """Whether a trainer has written an event of a kind."""

    def __init__(self, events: Path, kind: str) -> None:
        self._events, self._kind = events, kind

    def __call__(self) -> bool:
        whole, _, _ = self._events.read_text().rpartition("\n")
        return any(json.loads(line)["type"] == self._kind for line in whole.splitlines())


def _when(condition: Callable[[], bool]) -> float:
    """Waits for `condition`; when it came true."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited for {_PATIENCE_SECONDS:g} seconds")
        time.sleep(_POLL_SECONDS)
    return time.time()


def _claimed(service: Service, job_id: str) -> float:
    """When the worker took the job, by the database's clock, which for SQLite is this machine's."""
    with service.database.read() as repository:
        return next(event.at.timestamp() for event in repository.events(job_id, 0, 10) if event.type == "claimed")


def _cancel(service: Service, job_id: str) -> None:
    """Leaves the worker idle, and no teacher in its cache."""
    with service.database.write() as repository:
        repository.request_cancel(job_id)
    while service.client.jobs.get(job_id).info.state not in _TERMINAL:
        time.sleep(_CANCEL_POLL_SECONDS)
