"""What is drawn of a sweep, and what is not."""

from __future__ import annotations

from typing import Any

import pytest
from matplotlib.axes import Axes

from kd_engine.results.sweep_pictures import draw_gain, draw_heat_map
from kd_engine.schema.metrics import IMAGE_CLASSIFICATION, Estimate
from kd_engine.schema.sweep_report import SweepReport, TrialRow

PNG = b"\x89PNG"


def report(*values: dict[str, Any]) -> SweepReport:
    """Trials with these values; the first gains 1 point, each of the others one more."""
    rows = tuple(
        TrialRow(
            number=number, values=one, state="succeeded", model="mlp", verdict="no evidence",
            difference=Estimate(mean=0.01 * (number + 1), spread=None, interval=(-1, 1), kind="images"),
        )
        for number, one in enumerate(values)
    )  # fmt: skip
    paths = tuple(dict.fromkeys(path for one in values for path in one))
    return SweepReport(
        task="image_classification", metrics=IMAGE_CLASSIFICATION, summary="", chosen=0, verdict="no evidence",
        why="one_seed", counts={}, seeds=1, paths=paths, trials=rows, controls=(), teachers=(), details={}, classes=(),
        published_repeat=0,
    )  # fmt: skip


def drawn(monkeypatch: pytest.MonkeyPatch, of: SweepReport) -> dict[str, list[Any]]:
    """The points of each line, by its label."""
    lines: dict[str, list[Any]] = {}

    original = Axes.errorbar

    def errorbar(self: Axes, x: Any, y: Any, **more: Any) -> Any:
        lines[more["label"]] = [pytest.approx(value) for value in y]
        return original(self, x, y, **more)

    monkeypatch.setattr(Axes, "errorbar", errorbar)
    picture = draw_gain(of)
    assert picture is not None
    assert picture.startswith(PNG)
    return lines


def test_a_line_for_each_value_of_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    found = report(*({"alpha": alpha, "temperature": t} for alpha in (0, 0.9) for t in (4, 1)))
    assert drawn(monkeypatch, found) == {"alpha 0": [2, 1], "alpha 0.9": [4, 3]}


def test_long_values_that_begin_alike_stay_two_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    teachers = [{"model": "mnist_cnn", "params": {"channels": [4, 8]}, "training": {"epochs": n}} for n in (1, 2)]
    lines = drawn(monkeypatch, report(*({"temperature": t, "teacher": one} for one in teachers for t in (1, 2))))
    assert list(lines.values()) == [[1, 2], [3, 4]]


def test_nothing_is_drawn_where_nothing_varies() -> None:
    assert draw_gain(report({"alpha": 1})) is None
    assert draw_heat_map(report({"alpha": 1}, {"alpha": 0})) is None


def test_the_map_is_of_two_that_trials_give_together() -> None:
    union = [{"temperature": 1}, {"temperature": 2}, {"alpha": 0}, {"alpha": 1}]
    assert draw_heat_map(report(*union)) is None
    both = [{"alpha": a, "losses": loss} for a in (0, 1) for loss in ("kl", "dkd")]
    picture = draw_heat_map(report(*union, *both))
    assert picture is not None
    assert picture.startswith(PNG)


def test_too_many_lines_are_not_drawn() -> None:
    assert draw_gain(report(*({"temperature": t, "alpha": a / 20} for t in (1, 2) for a in range(11)))) is None
