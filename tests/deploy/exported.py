"""What API and workers really serve to Prometheus, each metric with something in it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from prometheus_client import CollectorRegistry

from api.app.metrics import ApiMetrics
from api.middleware.access_log import Answered
from jobs.database import Database
from jobs.settings import Settings
from kd_engine.schema.events import EpochEnd
from tests.worker.test_gpu import PRINTED
from worker.metrics import WorkerMetrics

_SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}


@dataclass(frozen=True)
class Exported:
    """A family of metrics, under the name that documents give it."""

    name: str
    type: str
    labels: frozenset[str]
    text: str

    @property
    def samples(self) -> set[str]:
        """The names by which queries ask for it."""
        base = self.name.removesuffix("_total") if self.type == "counter" else self.name
        return {base + suffix for suffix in _SUFFIXES[self.type]}


def exported(folder: Path) -> dict[str, dict[str, Exported]]:
    """By process (`api`, `worker`) and name; the worker has a GPU, whose driver is a script in `folder`."""
    settings = Settings(home=folder / "home", metrics_port=0)
    database = Database(settings.database_url)
    database.migrate()
    api = ApiMetrics(settings)
    try:
        api.open(database, lambda: 0)
        api.answered(Answered("GET", "/jobs", 200, 0.001))
        worker = WorkerMetrics(settings, "cuda")
        worker.heard(EpochEnd(phase="teacher", repeat=0, epoch=1, epochs=1, metrics={"images_per_second": 1.0}))
        with _a_driver(folder):
            return {"api": _families(api.registry), "worker": _families(worker.registry)}
    finally:
        api.close()
        database.dispose()


@contextmanager
def _a_driver(folder: Path) -> Iterator[None]:
    (folder / "printed").write_text(PRINTED)
    script = folder / "nvidia-smi"
    script.write_text(f"#!/bin/sh\ncat {folder / 'printed'}\n")
    script.chmod(0o755)
    with patch.dict(os.environ, {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}"}):
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        yield


def _families(registry: CollectorRegistry) -> dict[str, Exported]:
    found = {}
    for family in registry.collect():
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = Exported(name, family.type, frozenset(labels), family.documentation)
    return found
