"""Two versions of the service as processes, side by side: this one, and the one before."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from standalone.service import free_port

ROOT = Path(__file__).resolve().parents[2]
PREVIOUS = "5ef20c1e3e811f2cbf9f6d415bde708fbb3f3b63"
"""The version before this one: raised with each release."""


def previous_version(folder: Path) -> Path:
    """The files of the version before, as the history has them; skips the test where there is no history."""
    known = subprocess.run(
        ["git", "cat-file", "-e", f"{PREVIOUS}^{{commit}}"], cwd=ROOT, capture_output=True, check=False
    )
    if known.returncode != 0:
        pytest.skip(f"no history with {PREVIOUS[:12]} here: fetch it with `git fetch --unshallow`, or use a clone")
    folder.mkdir()
    archive = subprocess.run(["git", "archive", PREVIOUS], cwd=ROOT, capture_output=True, check=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=archive.stdout, check=True)
    return folder


class Version:
    """One version's programs, with the same settings for all; `stop` ends those that still run."""

    def __init__(self, code: Path, log: Path, settings: dict[str, Any]) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("KD_")}
        given = {f"KD_{name.upper()}": str(value) for name, value in settings.items()}
        self.port = free_port("127.0.0.1", 0)
        self._code, self.log = code, log
        self._env = kept | given | {"KD_PORT": str(self.port), "PYTHONPATH": str(code)}
        self._processes: list[subprocess.Popen[bytes]] = []
        self._clients: list[httpx.Client] = []

    def start(self, *module: str) -> subprocess.Popen[bytes]:
        """`python -m ...`"""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *module], cwd=self._code, env=self._env, stdin=subprocess.DEVNULL, stdout=log,
                stderr=log,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def start_api(self) -> httpx.Client:
        process = self.start("api")
        client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=30, trust_env=False)

        self._clients.append(client)

        def answers() -> bool:
            assert process.poll() is None, self.log.read_text()[-2000:]
            try:
                return client.get("/healthz").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers)
        return client

    def stop(self) -> None:
        for client in self._clients:
            client.close()
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait(30)


def wait_until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.1)
