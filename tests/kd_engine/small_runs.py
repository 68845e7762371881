"""Small real runs for the tests: the digits that scikit-learn carries, networks that train in a second."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

from kd_engine.jobspec import parse_spec
from kd_engine.runs.entry import run
from kd_engine.schema.events import Event, Finished
from kd_engine.schema.run_request import RunOptions

DIGITS: dict[str, Any] = {
    "dataset": "digits",
    "teacher": {"model": "mnist_cnn", "params": {"channels": [4, 8], "hidden": 32}, "training": {"epochs": 2}},
    "student": {"model": "mlp", "params": {"hidden": [16], "dropout": 0.1}},
    "temperature": 3,
    "training": {"epochs": 2, "batch_size": 256},
    "export": [],  # seconds each time; tests/kd_engine/exporters has them
}
# without the short form's key, for specs that list their losses
LONG: dict[str, Any] = {key: value for key, value in DIGITS.items() if key != "temperature"}


class Recorder:
    """Hears a run's events, and asks it to stop after a number of calls of `should_stop`."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.events: list[Event] = []
        self._left = stop_after

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def should_stop(self) -> bool:
        if self._left is None:
            return False
        self._left -= 1
        return self._left < 0

    def of(self, kind: str) -> list[Any]:
        return [event for event in self.events if event.type == kind]


def run_spec(
    body: dict[str, Any], out: Path, recorder: Recorder | None = None, networks: Sequence[Path] = (), **options: Any
) -> Finished:
    """Runs a spec with one thread into `out`; `cache_dir` is `out/cache` unless given.

    `networks` are the files of those that the spec takes from other jobs, in its order.

    Latencies are measured as briefly as they may be: most of a small run's time would go into them.
    """
    recorder = recorder or Recorder()
    spec = parse_spec(body)
    places = [asked.place for asked in spec.networks()]
    options["inputs"] = dict(zip(places, networks, strict=False)) | options.get("inputs", {})
    given = {"out_dir": out, "data_dir": out / "data", "cache_dir": out / "cache", "threads": 1, "download": False}
    settings = RunOptions(**(given | options))
    with patch("kd_engine.networks.cost._SECONDS", 0.0):
        return run(spec, settings, emit=recorder.emit, should_stop=recorder.should_stop)
