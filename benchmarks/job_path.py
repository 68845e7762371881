"""The way of one job from POST /jobs to the first value of the KL loss: files touched, and switches between them.

Counted in one process, leg by leg: the API answers the POST, the worker claims the job and writes its request, the
trainer reads it and trains until the distilled student's first step. A switch is a call of a function in another of the
project's files than the call before it, in the same thread.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from fastapi.testclient import TestClient

from api.app.create import create_app
from jobs.artifacts import open_store
from jobs.database import Database
from jobs.settings import Settings
from kd_engine.runs import distill  # noqa: F401  (what is run at import is no part of the way)
from kd_engine.runs.entry import run as run_job
from kd_engine.runs.request import RunRequest
from worker.attempt.files import Attempt
from worker.context import Services

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("api", "distillery", "jobs", "kd_engine", "standalone", "worker")
SPEC: dict[str, Any] = {
    "dataset": "digits", "teacher": {"model": "mlp", "training": {"epochs": 1}}, "student": "softmax_regression",
    "temperature": 4, "training": {"epochs": 1}, "export": [],
}  # fmt: skip
_FOLDERS = tuple(f"{ROOT / package}/" for package in PACKAGES)
_STUDENT, _KL = ("node_runner.py", "_distilled"), ("kl.py", "__call__")


@dataclass
class Leg:
    """What was seen of one."""

    files: set[str] = field(default_factory=set)
    switches: int = 0


class Tracer:
    """Counts calls by leg; the last two begin and end by themselves, at the student's node and at its first loss."""

    def __init__(self) -> None:
        self.legs: dict[str, Leg] = {}
        self.arrived = False
        self._leg: Leg | None = None
        self._last: dict[int, str] = {}

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Hears of calls in this thread and in those that are started from here on."""
        threading.setprofile(self._called)
        sys.setprofile(self._called)
        try:
            yield
        finally:
            sys.setprofile(None)
            threading.setprofile(None)

    @contextmanager
    def leg(self, name: str) -> Iterator[None]:
        self._begin(name)
        try:
            yield
        finally:
            self._leg = None

    def _begin(self, name: str) -> None:
        self._leg = self.legs.setdefault(name, Leg())

    def _called(self, frame: FrameType, event: str, _: object) -> None:
        file = frame.f_code.co_filename
        if event != "call" or self._leg is None or not file.startswith(_FOLDERS):
            return
        called = (file.rpartition("/")[2], frame.f_code.co_name)
        if called == _STUDENT:
            self._begin("trainer, the student's node")
        self._leg.files.add(file)
        thread = threading.get_ident()
        self._leg.switches += self._last.get(thread, file) != file
        self._last[thread] = file
        if called == _KL:
            self.arrived, self._leg = True, None


def run() -> None:
    """Prints the account."""
    tracer = Tracer()
    logging.disable(logging.WARNING)  # there is no broker, which the API says
    with tempfile.TemporaryDirectory() as home, tracer.watching():
        _walk(tracer, Settings(home=Path(home), device="cpu", threads=1, download=False))
    assert tracer.arrived, "the student was distilled"
    there = sum(1 for package in PACKAGES for _ in (ROOT / package).rglob("*.py"))
    touched = set().union(*(leg.files for leg in tracer.legs.values()))
    print(f"the way of one job from POST /jobs to the first KL value: {len(touched)} of {there} files")
    for name, leg in tracer.legs.items():
        print(f"  {name}: {len(leg.files)} files, {leg.switches:,} switches")


def _walk(tracer: Tracer, settings: Settings) -> None:
    with TestClient(create_app(settings), base_url="http://127.0.0.1") as client, tracer.leg("API"):
        answer = client.post("/jobs", json=SPEC)
    assert answer.status_code == 201, answer.text
    services = Services(settings, Database(settings.database_url), open_store(settings), "benchmark", "cpu")
    with tracer.leg("worker"):
        with services.database.write() as repository:
            job = repository.claim_next("benchmark", "cpu", 60.0)
        assert job is not None, "it was posted"
        attempt = Attempt(job, services)
        attempt.prepare()
    with tracer.leg("trainer, up to the student's node"):
        run_job(*RunRequest.read(attempt.folder), should_stop=lambda: tracer.arrived)


if __name__ == "__main__":
    run()
