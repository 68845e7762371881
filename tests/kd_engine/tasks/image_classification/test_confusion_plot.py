"""The confusion matrix as a picture: read back, its cells are as dark as their share of the row."""

from __future__ import annotations

import io

import numpy as np
import pytest
import torch
from PIL import Image

from kd_engine.tasks.image_classification.confusion_plot import draw_confusion
from kd_engine.tasks.image_classification.scores import ClassScores


def _outcomes(labels: list[int], predicted: list[int]) -> ClassScores:
    labels_N = torch.tensor(labels)
    return ClassScores(labels_N, torch.tensor(predicted), torch.zeros(len(labels)), torch.ones(len(labels)))


def _ink(picture: bytes) -> float:
    """How much of a picture is not nearly white."""
    with Image.open(io.BytesIO(picture)) as image:
        return float((np.asarray(image.convert("L")) < 200).mean())


def test_a_right_network_has_a_dark_diagonal_alone() -> None:
    classes = tuple("abcde")
    right = list(range(5)) * 10
    drawn = draw_confusion(_outcomes(right, right), classes, "right")
    same = draw_confusion(_outcomes(right, [0] * 50), classes, "always a")
    with Image.open(io.BytesIO(drawn)) as image:
        assert min(image.size) > 400
    # five dark cells of 25 in both: on the diagonal, and in the first column
    assert _ink(drawn) == pytest.approx(_ink(same), abs=0.02)
    assert 0.08 < _ink(drawn) < 0.25


def test_the_picture_is_the_same_twice_and_takes_any_names() -> None:
    classes = ("$x^{", "<b>", "a name that is much longer than a label has room for", "ünïcödé")
    outcomes = _outcomes([0, 1, 2, 3], [0, 1, 2, 0])
    one, two = (draw_confusion(outcomes, classes, "100 $ and $ more") for _ in range(2))
    assert one == two
