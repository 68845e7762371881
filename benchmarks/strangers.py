"""Latencies of honest callers beside thousands of idle connections and hundreds that mean harm, against none."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.load import Load, get, send
from benchmarks.service import Service, running
from benchmarks.turns import ROUNDS
from jobs.artifacts import ArtifactInfo

IDLE, HOSTILE = 2000, 200
REQUESTS, CLIENTS = 2000, 4
_FILE_BYTES = 50_000_000
_ROOT = Path(__file__).resolve().parent.parent
_SPEC: dict[str, Any] = {"dataset": "digits", "teacher": "mnist_cnn", "student": "softmax_regression"}


def run(requests: int = REQUESTS, rounds: int = ROUNDS, idle: int = IDLE, hostile: int = HOSTILE) -> None:
    """Prints the 99th percentile of a read and of /healthz, with and without them."""
    with running(worker=False) as service:
        latencies(service, requests, rounds, idle, hostile)


def latencies(service: Service, requests: int, rounds: int, idle: int, hostile: int) -> None:
    job = f"/jobs/{_job_with_a_file(service)}"
    paths = {"GET /jobs/{id}": job, "GET /healthz": "/healthz"}
    alone: dict[str, list[float]] = {name: [] for name in paths}
    beside: dict[str, list[float]] = {name: [] for name in paths}
    for _ in range(rounds + 1):
        for name, path in paths.items():
            alone[name].append(_p99(service, path, requests))
        with _strangers(service.port, job, idle, hostile):
            for name, path in paths.items():
                beside[name].append(_p99(service, path, requests))
    print(
        f"api, {CLIENTS} keep-alive clients, beside {idle} idle and {hostile} hostile connections, medians of {rounds}"
    )
    for name in paths:
        before, after = alone[name][1:], beside[name][1:]  # the first round was for warming up
        ratio = median(late / early for early, late in zip(before, after, strict=True))
        milliseconds = f"{1000 * median(before):6.1f} ms without them, {1000 * median(after):6.1f} ms with them"
        print(f"  {name:<15} p99 {milliseconds}: {ratio:5.2f}x")
    print("  goal: at most 3x; every request was answered")


def _p99(service: Service, path: str, requests: int) -> float:
    """Seconds; raises RuntimeError where a request is not answered."""
    return send(Load(service.port, get(path), requests, CLIENTS)).percentile(99)


def _job_with_a_file(service: Service) -> str:
    job_id: str = service.client.jobs.run(_SPEC).id
    path = service.settings.home / "big.bin"
    with path.open("wb") as file:
        file.truncate(_FILE_BYTES)
    with service.database.write() as repository:
        job = repository.claim(job_id, "benchmark", 3600)
        assert job is not None, "without a worker nobody else claims it"
        size, sha256 = service.store.put(path, key := f"{job_id}/{job.token}/big.bin")
        info = ArtifactInfo("big.bin", "result", "application/octet-stream", size, sha256, key)
        repository.list_artifact(job_id, job.token, info)
    return job_id


@contextmanager
def _strangers(port: int, job: str, idle: int, hostile: int) -> Iterator[None]:
    command = [sys.executable, "-m", "benchmarks.hostile", str(port), job, str(idle), str(hostile)]
    with subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        if process.stdout.readline() != "ready\n":
            raise RuntimeError("not all of the connections could be opened")
        yield
        process.stdin.close()
