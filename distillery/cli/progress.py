"""A progress line for each phase of a job, from its events: written over where the terminal can, else a few lines."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from distillery.cli.console import Console
from distillery.resources import EventView
from kd_engine.catalog.tasks import main_metric
from kd_engine.schema.phases import NETWORKS

_BAR = 16  # characters
_LINES_A_PHASE = 4  # where a line cannot be written over


class ProgressLines:
    """Turns a job's events into lines on the console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._open = False
        self._score = ""  # of the last epoch of this phase

    def moved(self, progress: Mapping[str, Any] | None) -> None:
        """Shows where the job is between events, as `JobView.progress` has it; only where lines are written over."""
        if progress is None or not self._console.live:
            return
        fraction = min(1.0, max(0.0, progress["fraction"]))
        filled = round(_BAR * fraction)
        bar = "#" * filled + "." * (_BAR - filled)
        left = _left(progress.get("seconds_remaining"))
        self._over(f"{_label(progress)}  epoch {progress['epoch']:>3}  [{bar}] {fraction:4.0%}{self._score}{left}")

    def show(self, event: EventView, seconds_left: float | None) -> None:
        """Shows what an event says; `seconds_left` is for the whole job, None while unknown."""
        data = event.data
        if event.type == "epoch_end":
            self._epoch(data, seconds_left)
        elif event.type == "phase_ended":
            how = {"cache": ", found in the cache", "given": ", given"}.get(data["source"], "")
            self._score = ""
            self._over(f"{_label(data)}  test {_score(data['metrics'], 'test')}{how}")
            self.finish_line()
        elif event.type == "requeued":
            self.finish_line()
            self._console.line(f"the job is queued again: {data.get('why', 'unknown')}")

    def finish_line(self) -> None:
        """Leaves the line that is being written over, if there is one."""
        if self._open:
            self._console.line()
            self._open = False

    def _epoch(self, data: dict[str, Any], seconds_left: float | None) -> None:
        epoch, epochs = data["epoch"], data["epochs"]
        self._score = f"  validation {_score(data['metrics'], 'val')}"
        text = f"{_label(data)}  epoch {epoch:>3}/{epochs}{self._score}{_left(seconds_left)}"
        if self._console.live:
            self._over(text)
        elif epoch == epochs or epoch % math.ceil(epochs / _LINES_A_PHASE) == 0:
            self._console.line(text)

    def _over(self, text: str) -> None:
        if self._console.live:
            self._console.over(text)
            self._open = True
        else:
            self._console.line(text)


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f"  job done in about {max(1, round(seconds))} s"


def _label(data: Mapping[str, Any]) -> str:
    name = NETWORKS.get(data["phase"], data["phase"])
    repeat = f" (repeat {data['repeat'] + 1})" if data["repeat"] else ""
    return f"  {name + repeat:<13}"


def _score(metrics: Mapping[str, float], split: Literal["val", "test"]) -> str:
    """The metric that decides, by its name."""
    metric = main_metric(metrics, split)
    return "" if metric is None else f"{metric.label} {metric.show(metrics[metric.key(split)]):>8}"
