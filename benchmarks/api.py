"""The api: requests/s against an empty endpoint of the same server, latencies while a job trains, and its import."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load import Answered, Load, get, post, send
from benchmarks.server import EMPTY, EMPTY_ASYNC
from benchmarks.service import Service, running, until
from benchmarks.turns import ROUNDS, Measured, in_turns
from kd_engine.schema.events import EpochEnd, Progress

REQUESTS, CLIENTS = 3000, 16
SPEC: dict[str, Any] = {
    "dataset": "digits", "teacher": "mnist_cnn", "student": "softmax_regression", "temperature": 5,
    "training": {"epochs": 10_000},
}  # fmt: skip
_ROOT = Path(__file__).resolve().parent.parent
_WORTH_KNOWING = """
import sys, time
start = time.perf_counter()
import api.app
seconds = time.perf_counter() - start
pages = int(open("/proc/self/statm").read().split()[1]) if sys.platform == "linux" else 0
print(seconds, pages, "torch" in sys.modules)
"""


def run(requests: int = REQUESTS, rounds: int = ROUNDS) -> None:
    """Prints the ratios, the latencies and what the import costs."""
    with running(worker=False) as service:
        throughput(service, requests, rounds)
    with running(worker=True) as service:
        latencies(service, requests, rounds)
    import_cost(rounds)


class _Contestant:
    """One kind of request; remembers how each of its rounds went. The work's time is that of one request."""

    def __init__(self, port: int, request: str, requests: int, status: int = 200) -> None:
        self._load = Load(port, request, requests, CLIENTS, status)
        self.rounds: list[Answered] = []

    def __call__(self) -> float:
        self.rounds.append(send(self._load))
        return 1 / self.rounds[-1].per_second

    def milliseconds(self, percent: float) -> float:
        """The median over rounds of a percentile; the first round was for warming up."""
        return 1000 * median(answered.percentile(percent) for answered in self.rounds[1:])


def throughput(service: Service, requests: int, rounds: int) -> None:
    path = f"/jobs/{_job_in_training(service)}"
    unchanged = get(path).replace("\r\n\r\n", f'\r\nIf-None-Match: "{_version(service, path)}"\r\n\r\n')
    contestants = {
        "empty": _Contestant(service.port, get(EMPTY), requests),
        "empty, async": _Contestant(service.port, get(EMPTY_ASYNC), requests),
        "GET /jobs/{id}": _Contestant(service.port, get(path), requests),
        "GET, not modified": _Contestant(service.port, unchanged, requests, 304),
        "POST /jobs": _Contestant(service.port, post("/jobs", SPEC), max(requests // 10, 1), 201),
    }
    measured = in_turns(contestants, rounds)
    print(f"api, {CLIENTS} keep-alive clients, no job running, medians of {rounds}")
    _table(contestants, measured)
    print("  floors: GET 0.3x of empty (stretch 0.6x); POST, recorded durably, 0.15x and p99 100 ms")
    print(f"  a POST waits for the disk: fsync of 4 KiB here {_fsync(service.settings.home, rounds):.2f} ms")


def _table(contestants: dict[str, _Contestant], measured: Measured) -> None:
    for name, contestant in contestants.items():
        print(
            f"  {name:<18} {1 / measured.median(name):8,.0f} requests/s  {measured.speedup(name, 'empty'):5.2f}x  "
            f"p50 {contestant.milliseconds(50):6.1f} ms  p99 {contestant.milliseconds(99):6.1f} ms"
        )


def latencies(service: Service, requests: int, rounds: int) -> str:
    """Prints them; returns the id of the job, which trains on."""
    job_id: str = service.client.jobs.run(SPEC).id
    until(lambda: service.client.jobs.get(job_id).info.progress is not None)
    contestants = {
        "empty": _Contestant(service.port, get(EMPTY), requests),
        "GET /jobs/{id}": _Contestant(service.port, get(f"/jobs/{job_id}"), requests),
    }
    measured = in_turns(contestants, rounds)
    job = service.client.jobs.get(job_id).info
    if job.state != "running":
        raise RuntimeError(f"the job did not train all the time: {job.state}, {job.detail}")
    print(f"api, {CLIENTS} clients, while a worker trains the job that they ask for")
    _table(contestants, measured)
    print("  floor: p99 50 ms (stretch 20 ms)")
    return job_id


def _job_in_training(service: Service) -> str:
    """A job with all that a reader may see of one that trains; nobody trains it."""
    job_id: str = service.client.jobs.run(SPEC).id
    metrics = {"train_loss": 0.25, "val_loss": 0.5, "val_accuracy": 0.9, "lr": 0.001, "images_per_second": 1e4}
    with service.database.write() as repository:
        job = repository.claim(job_id, "benchmark", 3600)
        assert job is not None, "without a worker nobody else claims it"
        repository.record(
            job_id,
            job.token,
            [
                EpochEnd(phase="teacher", repeat=0, epoch=1, epochs=10, metrics=metrics),
                Progress(
                    phase="teacher", repeat=0, epoch=2, step=3, steps=20, fraction=0.1, seconds_remaining=12.5
                ),
            ],
        )  # fmt: skip
    return job_id


def _version(service: Service, path: str) -> int:
    with service.database.read() as repository:
        return repository.get(path.rpartition("/")[2]).version


def _fsync(folder: Path, rounds: int) -> float:
    """Milliseconds, the median, that the disk under the database takes to keep 4 KiB."""
    with tempfile.TemporaryFile(dir=folder) as file:

        def keep() -> None:
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())

        return 1000 * in_turns({"fsync": keep}, rounds * 5).median("fsync")


def import_cost(rounds: int) -> None:
    found = [_fresh_import() for _ in range(rounds)]
    seconds, megabytes = (median(row[column] for row in found) for column in (0, 1))
    print("importing api.app in a fresh process")
    print(f"  {seconds:.2f} s, {megabytes:.0f} MB resident, torch {'LOADED' if found[0][2] else 'not loaded'}")
    print("  floors: 1.5 s, 150 MB, no torch")


def _fresh_import() -> tuple[float, float, bool]:
    done = subprocess.run([sys.executable, "-c", _WORTH_KNOWING], cwd=_ROOT, capture_output=True, text=True, check=True)
    seconds, pages, torch = done.stdout.split()
    return float(seconds), int(pages) * os.sysconf("SC_PAGE_SIZE") / 1e6, torch == "True"
