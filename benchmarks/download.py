"""Downloads of a large artifact against a plain static file server, and the memory that they take in the api."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.load import Load, get, send
from benchmarks.service import Service, listens, running
from benchmarks.turns import ROUNDS, in_turns
from jobs.artifacts import ArtifactInfo
from standalone.service import free_port

MEGABYTES = 200
_NAME = "large.safetensors"
_SAMPLE_SECONDS = 0.005
_START_SECONDS = 10.0
_NGINX = """
{user}
daemon off; pid {folder}/nginx.pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off; sendfile on; tcp_nopush on;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{port}; root {folder}; }}
}}
"""


def run(megabytes: int = MEGABYTES, rounds: int = ROUNDS) -> None:
    """Prints the rates and the memory."""
    with running(worker=False) as service:
        rates(service, megabytes, rounds)


def rates(service: Service, megabytes: int, rounds: int) -> None:
    path = _publish(service, megabytes)
    folder = service.settings.home / "static"
    with _static_server(folder) as (server, port), _Memory(service.api_pid) as memory:
        contestants = {
            server: lambda: _seconds(port, f"/{_NAME}"),
            "artifact": lambda: _seconds(service.port, path),
        }
        measured = in_turns(contestants, rounds)
    print(f"download of {megabytes} MB, one client, medians of {rounds}")
    for name in contestants:
        rate = megabytes / 1000 / measured.median(name)
        print(f"  {name:<22} {rate:6.2f} GB/s  {measured.speedup(name, server):5.2f}x")
    print("  floor: 0.5x (0.8x of nginx)")
    print(f"  resident memory of the api: {memory}; floor: flat")


def _publish(service: Service, megabytes: int) -> str:
    """Lists a large file as a job's; returns its path in the api. The static server's copy lies beside."""
    folder = service.settings.home / "static"
    folder.mkdir(exist_ok=True)
    block = os.urandom(10**6)
    with (folder / _NAME).open("wb") as file:
        for _ in range(megabytes):
            file.write(block)
    job_id = service.client.jobs.run({"dataset": "digits", "teacher": "mlp", "student": "softmax_regression"}).id
    key = f"{job_id}/1/{_NAME}"
    size, sha256 = service.store.put(folder / _NAME, key)
    with service.database.write() as repository:
        job = repository.claim(job_id, "benchmark", 3600)
        assert job is not None, "without a worker nobody else claims it"
        info = ArtifactInfo(_NAME, "result", "application/octet-stream", size, sha256, key)
        repository.list_artifact(job_id, job.token, info)
    return f"/jobs/{job_id}/artifacts/{_NAME}"


def _seconds(port: int, path: str) -> float:
    return send(Load(port, get(path), requests=1, clients=1)).seconds


@contextmanager
def _static_server(folder: Path) -> Iterator[tuple[str, int]]:
    """A plain file server of `folder`: its name and port. nginx where there is one, else Python's own."""
    port = free_port("127.0.0.1", 0)
    nginx = shutil.which("nginx")
    if nginx:
        name = "nginx"
        user = "user root;" if os.geteuid() == 0 else ""  # else its worker could not look into the folder
        (folder / "nginx.conf").write_text(_NGINX.format(user=user, folder=folder, port=port))
        command = [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")]
    else:
        name = "python -m http.server"
        command = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1", "--protocol", "HTTP/1.1"]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not listens(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{name} did not start: {(folder / 'server.log').read_text()[-1000:]}")
            time.sleep(0.02)
        yield name, port
    finally:
        process.terminate()
        process.wait()


class _Memory:
    """Samples the resident memory of a process while it is entered; Linux alone tells."""

    def __init__(self, pid: int) -> None:
        self._statm = Path(f"/proc/{pid}/statm")
        self._done = threading.Event()
        self._samples: list[float] = []
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def __enter__(self) -> _Memory:
        self._samples.append(self._now())
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._samples.append(self._now())

    def __str__(self) -> str:
        first, last, most = self._samples[0], self._samples[-1], max(self._samples)
        return f"{first:.0f} MB before, {most:.0f} MB at most, {last:.0f} MB after" if first else "unknown"

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLE_SECONDS):
            self._samples.append(self._now())

    def _now(self) -> float:
        try:
            pages = int(self._statm.read_text().split()[1])
        except FileNotFoundError:
            return 0.0
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
