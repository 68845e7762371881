"""The figures of docs/reliability.md, each of a service of its own: `python -m tests.faults.figures [NAME ...]`.

Times depend on the machine; nothing here asserts on one.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kd_engine.jobspec import parse_spec
from tests.faults.scene import LONG, SHORT, wait_moving
from tests.faults.stack import ROOT, DatabaseKind, Stack, running_stack

_STREAMS = 1_000
_MANY = 10_000
_KINDS: tuple[DatabaseKind, ...] = ("sqlite", "postgresql")
_DEFAULTS = {
    "lease_seconds": 60,
    "stop_after_seconds": 40,
    "heartbeat_seconds": 10,
    "reap_seconds": 5,
    "look_seconds": 5,
}


def recovery() -> None:
    """From kill -9 of a worker to the job running again, with the service's own times (a lease of 60 s)."""
    with _stack("sqlite", workers=2, **_DEFAULTS) as stack:
        job_id = stack.submit(LONG | {"training": {"epochs": 200, "batch_size": 128}})
        wait_moving(stack, job_id)
        holder = stack.job(job_id).worker or ""
        start = time.monotonic()
        next(worker for worker in stack.workers if holder.endswith(f"-{worker.pid}")).kill()
        stack.until(lambda: stack.job(job_id).attempt == 2, 120, "another worker")
        claimed = time.monotonic() - start
        epochs = _epochs(stack, job_id)
        stack.until(lambda: _epochs(stack, job_id) > epochs, 60, "the next epoch")
        moving = time.monotonic() - start
        print(f"kill -9 of the worker: claimed again after {claimed:.1f} s, next epoch after {moving:.1f} s")
        start = time.monotonic()
        for trainer in stack.trainers(job_id):
            trainer.kill()
        stack.until(lambda: stack.job(job_id).attempt == 3, 120, "the next attempt")
        print(f"kill -9 of the trainer: claimed again after {time.monotonic() - start:.1f} s")
        with stack.client() as client:
            client.post(f"/jobs/{job_id}/cancel")
        stack.wait_ended(job_id)


def frozen_broker() -> None:
    """POST /jobs, one at a time, while Redis is frozen."""
    with _stack("sqlite", workers=1) as stack:
        stack.redis.freeze()
        with stack.client() as client:
            took = [_timed(lambda: client.post("/jobs", json=SHORT | {"name": "frozen"})) for _ in range(200)]
        stack.redis.thaw()
        print(f"POST /jobs with Redis frozen: {_percentiles(took)} over {len(took)} posts")


def streams() -> None:
    """1,000 open event streams of a running job on one api process; POST and GET beside them, one at a time."""
    for kind in _KINDS:
        with _stack(kind, workers=1) as stack:
            job_id = stack.submit(LONG | {"training": {"epochs": 400, "batch_size": 128}})
            wait_moving(stack, job_id)
            with _listeners(stack, job_id) as listeners:
                gets, posts = _beside(stack, job_id)
                held, _ = listeners.communicate("")
            print(f"{kind}: {held.strip()} streams open; GET {_percentiles(gets)}, POST {_percentiles(posts)}")
            with stack.client() as client:
                client.post(f"/jobs/{job_id}/cancel")
            stack.wait_ended(job_id)


@contextmanager
def _listeners(stack: Stack, job_id: str) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the streams, so that its own work is not counted as the service's."""
    command = [sys.executable, "-m", "tests.faults.listeners", stack.url, job_id, str(_STREAMS)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "open\n"
            yield process
        finally:
            process.kill()


def _beside(stack: Stack, job_id: str) -> tuple[list[float], list[float]]:
    body = LONG | {"resources": {"device": "cuda"}}  # no worker here takes it
    gets, posts = [], []
    with stack.client() as client:
        for number in range(600):
            gets.append(_timed(lambda: client.get(f"/jobs/{job_id}").raise_for_status()))
            if number % 3 == 0:
                posts.append(_timed(lambda: client.post("/jobs", json=body).raise_for_status()))
            time.sleep(0.02)
    return gets, posts


def many_queued() -> None:
    """Listing, claiming and sweeping with 100 and with 10,000 queued jobs of 20 owners."""
    for kind in _KINDS:
        with _stack(kind, workers=0) as stack:
            spec = parse_spec(SHORT).resolved()
            made = 0
            for size in (100, _MANY):
                while made < size:
                    with stack.database.write() as repository:
                        for _ in range(min(500, size - made)):
                            repository.create(spec, owner=f"owner-{made % 20}")
                            made += 1
                time.sleep(5)  # PostgreSQL looks once a second whether its statistics are out of date
                print(f"{kind}, {size:>6,} queued: {_costs(stack)}")


def _costs(stack: Stack) -> str:
    database = stack.database

    def claim() -> None:
        with database.write() as repository:
            job = repository.claim_next("figures", "cpu", 60)
            assert job is not None
            repository.hand_back(job.id, job.token, "measured")

    def sweep() -> None:
        with database.write() as repository:
            repository.expire_leases(3)

    with stack.client() as client:
        works: dict[str, Callable[[], object]] = {
            "list": lambda: client.get("/jobs", params={"page_size": 50}),
            "list by state": lambda: client.get("/jobs", params={"state": "queued", "page_size": 50}),
            "claim and hand back": claim,
            "sweep": sweep,
        }
        found = {name: statistics.median(_timed(work) for _ in range(30)) for name, work in works.items()}
    return ", ".join(f"{name} {1000 * seconds:.1f} ms" for name, seconds in found.items())


def _epochs(stack: Stack, job_id: str) -> int:
    with stack.database.read() as repository:
        return len(repository.metrics(job_id))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _percentiles(seconds: list[float]) -> str:
    ordered = sorted(seconds)
    last = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"median {1000 * statistics.median(ordered):.0f} ms, p99 {1000 * last:.0f} ms"


@contextmanager
def _stack(kind: DatabaseKind, *, workers: int, **settings: Any) -> Iterator[Stack]:
    """A stack in a temporary folder."""
    with (
        tempfile.TemporaryDirectory(prefix="distillery-figures-") as folder,
        running_stack(Path(folder) / "home", kind, workers=workers, **settings) as stack,
    ):
        yield stack


FIGURES: dict[str, Callable[[], None]] = {
    "recovery": recovery,
    "frozen-broker": frozen_broker,
    "streams": streams,
    "many-queued": many_queued,
}


if __name__ == "__main__":
    for asked in sys.argv[1:] or FIGURES:
        FIGURES[asked]()
