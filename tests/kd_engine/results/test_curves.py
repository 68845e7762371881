"""The curves: what their panels hold, and the same picture twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from kd_engine.results.curves import draw_curves
from kd_engine.results.result import PhaseResult
from kd_engine.schema.phases import Phase
from tests.kd_engine.phase_results import a_result


@pytest.fixture
def results() -> list[PhaseResult]:
    phases: tuple[Phase, ...] = ("teacher", "baseline", "student")
    found = []
    for phase in phases:
        result = a_result(phase, 0.5)
        scale = 1000.0 if phase == "student" else 1.0  # an attention loss is of another size
        result.series.extend(
            {"train_loss": scale * (2 - 0.1 * epoch), "val_loss": 2 - 0.08 * epoch, "val_accuracy": 0.1 * epoch}
            for epoch in range(1, 6)
        )
        found.append(result)
    return found


def test_training_losses_are_dashed_and_leave_the_scale_alone(
    results: list[PhaseResult], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[Figure] = []
    save = Figure.savefig

    def note(figure: Figure, *arguments: Any, **options: Any) -> None:
        drawn.append(figure)
        save(figure, *arguments, **options)

    monkeypatch.setattr(Figure, "savefig", note)
    draw_curves(results, tmp_path / "curves.png", "100 $ a title")
    accuracy, loss = drawn[0].axes
    assert len(accuracy.lines) == 3
    assert [line.get_linestyle() for line in loss.lines] == ["-"] * 3 + ["--"] * 3
    assert loss.get_ylim()[1] < 3
    assert [text.get_text().split(" (")[0] for text in drawn[0].legends[0].get_texts()] == [
        "teacher", "student alone", "distilled", "objective in training",
    ]  # fmt: skip


def test_the_picture_is_the_same_twice(results: list[PhaseResult], tmp_path: Path) -> None:
    for name in ("one.png", "two.png"):
        draw_curves(results, tmp_path / name, "a title")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
