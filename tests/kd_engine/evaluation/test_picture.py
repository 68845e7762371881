"""The confusion matrix as a picture: read back, its cells are as dark as their share of the row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kd_engine.evaluation.outcomes import Outcomes
from kd_engine.evaluation.picture import draw_confusion


def _outcomes(labels: list[int], predicted: list[int]) -> Outcomes:
    labels_N = torch.tensor(labels)
    return Outcomes(labels_N, torch.tensor(predicted), torch.zeros(len(labels)), torch.ones(len(labels)))


def _ink(path: Path) -> float:
    """How much of a picture is not nearly white."""
    with Image.open(path) as image:
        return float((np.asarray(image.convert("L")) < 200).mean())


def test_a_right_network_has_a_dark_diagonal_alone(tmp_path: Path) -> None:
    classes = tuple("abcde")
    right = list(range(5)) * 10
    draw_confusion(_outcomes(right, right), classes, tmp_path / "right.png", "right")
    draw_confusion(_outcomes(right, [0] * 50), classes, tmp_path / "same.png", "always a")
    with Image.open(tmp_path / "right.png") as image:
        assert min(image.size) > 400
    # five dark cells of 25 in both: on the diagonal, and in the first column
    assert _ink(tmp_path / "right.png") == pytest.approx(_ink(tmp_path / "same.png"), abs=0.02)
    assert 0.08 < _ink(tmp_path / "right.png") < 0.25


def test_the_picture_is_the_same_twice_and_takes_any_names(tmp_path: Path) -> None:
    classes = ("$x^{", "<b>", "a name that is much longer than a label has room for", "ünïcödé")
    outcomes = _outcomes([0, 1, 2, 3], [0, 1, 2, 0])
    for name in ("one.png", "two.png"):
        draw_confusion(outcomes, classes, tmp_path / name, "100 $ and $ more")
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()
