"""What many workers ask of the database, the broker and the store, and how much of it these give: docs/scaling.md.

On a PostgreSQL of its own that keeps what it committed, started as the tests start theirs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.ceilings import claims, questions, rates, rings, server_alone, store
from benchmarks.counters import Work, connections, work
from benchmarks.crowd import Crowd
from benchmarks.service import Service, running, until
from benchmarks.turns import ROUNDS
from jobs.db import Database
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


def run(rounds: int = ROUNDS) -> None:
    """Prints all of it; some ten minutes."""
    with closing(Postgres(durable=True)) as server:
        writes(server, SECONDS, rounds)
        crowd = Crowd(server.create("crowd"))
        crowd.gather()
        questions(crowd, rounds)
        rates(crowd, (1, 16), rounds)
        server_alone(crowd, (1, 16, 64), rounds)
        claims(Crowd(server.create("queue"), queued=500), (1, 16), rounds)
    rings(2000, rounds)
    with tempfile.TemporaryDirectory(prefix="distillery-benchmark-") as folder:
        store(Path(folder), MEGABYTES, rounds)


def writes(server: Postgres, seconds: float, rounds: int, jobs: Mapping[str, dict[str, Any]] = JOBS) -> None:
    """What a worker does to the database by itself, and what its job adds to that."""
    print(f"a worker's work for the database, a second, medians of {rounds} times {seconds:g} s")

    def measured(name: str) -> Work:
        found = [work(server.url("postgres"), name, seconds) for _ in range(rounds)]
        return Work(*(median(column) for column in zip(*(vars(one).values() for one in found), strict=True)))

    _make_tables(server.create("nobody"))
    quiet = measured("nobody")  # what the server does by itself: it looks after its tables
    with running(worker=True, database_url=server.create("worker"), told={}) as service:
        _show("idle", measured("worker") - quiet)
        for name, spec in jobs.items():
            job_id = service.client.create(spec)["id"]
            until(lambda told=job_id: _trains(service, told))  # type: ignore[misc]
            _show(name, measured("worker") - quiet)
            with service.database.write() as repository:
                repository.request_cancel(job_id)
            until(lambda told=job_id: service.client.job(told)["state"] == "cancelled")  # type: ignore[misc]
        kept = connections(server.url("postgres"), "worker")
        print(f"  connections kept: worker {kept['distillery-worker']}, API {kept['distillery-api']}")


def _make_tables(url: str) -> None:
    database = Database(url)
    database.migrate()
    database.dispose()


def _show(name: str, done: Work) -> None:
    print(
        f"  {name:<30} {done.transactions:6.2f} transactions, {done.commits:6.2f} of them write, "
        f"{done.rows:7.2f} rows, {done.wal_bytes / 1000:7.2f} kB of log"
    )


def _trains(service: Service, job_id: str) -> bool:
    job = service.client.job(job_id)
    if job["state"] not in ("queued", "running"):
        raise RuntimeError(f"the job does not train: {job['state']}, {job['detail']}")
    return job["progress"] is not None
