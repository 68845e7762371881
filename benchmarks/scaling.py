"""What many workers ask of the database, the broker and the store, and how much of it these give: docs/scaling.md.

On a PostgreSQL of its own that keeps what it committed, started as the tests start theirs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ceilings import claims, questions, rates, rings, server_alone, store
from benchmarks.counters import Work, connections, work
from benchmarks.crowd import Crowd
from benchmarks.service import Service, running, until
from benchmarks.turns import ROUNDS
from jobs.database import Database
from tests.postgres import Postgres

SECONDS = 30.0  # as long as there is between two checkpoints
MEGABYTES = 256
_LARGE = {"model": "mnist_cnn", "params": {"channels": [64, 128], "hidden": 1024}}
_JOB: dict[str, Any] = {"dataset": "digits", "temperature": 5, "baseline": False}
JOBS: dict[str, dict[str, Any]] = {
    "busy, epochs of many seconds": _JOB
    | {"teacher": _LARGE, "student": _LARGE, "training": {"epochs": 1000, "batch_size": 1}},
    "busy, many epochs a second": _JOB
    | {"teacher": "mnist_cnn", "student": "softmax_regression", "training": {"epochs": 10_000}},
}
SETTINGS: dict[str, dict[str, str]] = {
    "with the defaults": {},
    "set for 1,000 workers": {
        "KD_HEARTBEAT_SECONDS": "20",
        "KD_STOP_AFTER_SECONDS": "80",
        "KD_LEASE_SECONDS": "120",
        "KD_REAP_SECONDS": "30",
        "KD_LOOK_SECONDS": "30",
        "KD_RECORD_SECONDS": "5",
        "KD_CHECKPOINT_SECONDS": "300",
    },
}
_NOBODY = "nobody"


def run(rounds: int = ROUNDS) -> None:
    """Prints all of it; some ten minutes."""
    with closing(Postgres(durable=True)) as server:
        writes(server, SECONDS, rounds)
        crowd = Crowd(server.create("crowd"))
        crowd.gather()
        questions(crowd, rounds)
        rates(crowd, (1, 4), rounds)
        server_alone(crowd, (1, 16, 64), rounds)
        claims(Crowd(server.create("queue"), queued=500), (1, 4), rounds)
    rings(2000, rounds)
    with tempfile.TemporaryDirectory(prefix="distillery-benchmark-") as folder:
        store(Path(folder), MEGABYTES, rounds)


def writes(
    server: Postgres,
    seconds: float,
    rounds: int,
    settings: Mapping[str, Mapping[str, str]] = SETTINGS,
    jobs: Mapping[str, dict[str, Any]] = JOBS,
) -> None:
    """What a worker does to the database by itself, and with a job in hand."""
    print(f"a worker's work for the database, a second, medians of {rounds} times {seconds:g} s")
    _make_tables(server.create(_NOBODY))
    quiet = _measured(server, _NOBODY, seconds, rounds)  # what the server does by itself: it looks after its tables
    for number, (title, told) in enumerate(settings.items()):
        name = f"worker_{number}"
        with running(worker=True, database_url=server.create(name), told=told) as service:
            print(f"  {title}")
            _show("idle", _measured(server, name, seconds, rounds) - quiet)
            for job, spec in jobs.items():
                with _training(service, spec):
                    _show(job, _measured(server, name, seconds, rounds) - quiet)
            kept = connections(server.url("postgres"), name)
            print(f"    connections kept: worker {kept['distillery-worker']}, API {kept['distillery-api']}")
        server.drop(name)
    server.drop(_NOBODY)


def _measured(server: Postgres, name: str, seconds: float, rounds: int) -> Work:
    found = [vars(work(server.url("postgres"), name, seconds)).values() for _ in range(rounds)]
    return Work(*(median(column) for column in zip(*found, strict=True)))


@contextmanager
def _training(service: Service, spec: dict[str, Any]) -> Iterator[None]:
    """A job that trains until the block ends."""
    job_id = service.client.jobs.run(spec).id

    def trains() -> bool:
        job = service.client.jobs.get(job_id).info
        if job.state not in ("queued", "running"):
            raise RuntimeError(f"the job does not train: {job.state}, {job.detail}")
        return job.progress is not None

    until(trains)
    yield
    if not trains():
        raise RuntimeError("the job lost its worker")
    with service.database.write() as repository:
        repository.request_cancel(job_id)
    until(lambda: service.client.jobs.get(job_id).info.state == "cancelled")


def _make_tables(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.dispose()


def _show(name: str, done: Work) -> None:
    print(
        f"    {name:<30} {done.transactions:6.2f} transactions, {done.commits:6.2f} of them write, "
        f"{done.rows:7.2f} rows, {done.wal_bytes / 1000:7.2f} kB of log"
    )
