"""Similarity preserving against loops over pairs of images. B images, C channels, H and W of a feature map."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kd_engine.losses import Outputs
from kd_engine.losses.sp import SP

Array = NDArray[np.float64]
B = 5
LABELS_B = torch.zeros(B, dtype=torch.long)
LOGITS_BK = torch.zeros(B, 2)


def features(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=(B, *shape))


def as_outputs(*maps: Array) -> Outputs:
    return Outputs(LOGITS_BK, tuple(torch.from_numpy(array).float() for array in maps))


def similarities(maps_BCHW: Array) -> list[list[float]]:
    vectors = [image.reshape(-1).tolist() for image in maps_BCHW]
    rows = [[sum(a * b for a, b in zip(one, other, strict=True)) for other in vectors] for one in vectors]
    return [[value / math.sqrt(sum(v**2 for v in row)) for value in row] for row in rows]


def test_equals_a_loop_over_pairs_of_images() -> None:
    student, teacher = features(1, 4, 3, 3), features(2, 7, 2, 2)

    value = SP()(as_outputs(student), as_outputs(teacher), LABELS_B)

    expected = 0.0
    for row_s, row_t in zip(similarities(student), similarities(teacher), strict=True):
        expected += sum((s - t) ** 2 for s, t in zip(row_s, row_t, strict=True))
    assert value.item() == pytest.approx(expected / B**2, rel=1e-5)


def test_looks_at_the_last_stage_alone() -> None:
    first, student, teacher = features(3, 2, 6, 6), features(4, 4, 3, 3), features(5, 4, 3, 3)

    value = SP()(as_outputs(first, student), as_outputs(first, first, teacher), LABELS_B)

    assert value.equal(SP()(as_outputs(student), as_outputs(teacher), LABELS_B))


def test_does_not_look_at_the_size_of_the_activations() -> None:
    student, teacher = features(6, 4, 3, 3), features(7, 4, 3, 3)

    value = SP()(as_outputs(student), as_outputs(teacher), LABELS_B)

    assert SP()(as_outputs(student * 10), as_outputs(teacher), LABELS_B).item() == pytest.approx(value.item(), rel=1e-5)


def test_published_weight() -> None:
    assert SP().weight == 3000
