"""Attention transfer against numpy. B images, C channels, H and W of a feature map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kd_engine.losses import Outputs
from kd_engine.losses.at import AT
from kd_engine.schema.errors import InvalidSpecError

Array = NDArray[np.float64]
LABELS_B = torch.zeros(3, dtype=torch.long)
LOGITS_BK = torch.zeros(3, 2)


def maps(seed: int, *shapes: tuple[int, ...]) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.normal(size=shape) for shape in shapes]


def as_outputs(features: list[Array]) -> Outputs:
    return Outputs(LOGITS_BK, tuple(torch.from_numpy(array).float() for array in features))


def reference(student: list[Array], teacher: list[Array]) -> float:
    """The paper's formula, image by image."""
    total = 0.0
    for student_BCHW, teacher_BCHW in zip(student, teacher, strict=True):
        differences: list[Any] = []
        for student_CHW, teacher_CHW in zip(student_BCHW, teacher_BCHW, strict=True):
            vectors = []
            for image_CHW in (student_CHW, teacher_CHW):
                flat = (image_CHW**2).mean(axis=0).reshape(-1)
                vectors.append(flat / np.sqrt((flat**2).sum()))
            differences.append((vectors[0] - vectors[1]) ** 2)
        total += float(np.mean(differences))
    return total


def pooled(features_BCHW: Array, factor: int) -> Array:
    batch, channels, height, width = features_BCHW.shape
    blocks = features_BCHW.reshape(batch, channels, height // factor, factor, width // factor, factor)
    return np.asarray(blocks.mean(axis=(3, 5)))


def test_equals_numpy_over_several_stages_of_different_widths() -> None:
    student = maps(1, (3, 4, 6, 6), (3, 8, 3, 3))
    teacher = maps(2, (3, 16, 6, 6), (3, 2, 3, 3))

    value = AT()(as_outputs(student), as_outputs(teacher), LABELS_B)

    assert value.item() == pytest.approx(reference(student, teacher), rel=1e-5)


@pytest.mark.parametrize("larger", ["student", "teacher"])
def test_the_larger_map_is_pooled_to_the_smaller(larger: str) -> None:
    small, big = maps(3, (3, 4, 4, 4), (3, 5, 8, 8))
    student, teacher = (big, small) if larger == "student" else (small, big)

    value = AT()(as_outputs([student]), as_outputs([teacher]), LABELS_B)

    assert value.item() == pytest.approx(reference([small], [pooled(big, 2)]), rel=1e-5)


def test_does_not_look_at_the_size_of_the_activations() -> None:
    student, teacher = maps(4, (3, 4, 5, 5)), maps(5, (3, 4, 5, 5))

    value = AT()(as_outputs(student), as_outputs(teacher), LABELS_B)
    louder = AT()(as_outputs([student[0] * 10]), as_outputs(teacher), LABELS_B)

    assert louder.item() == pytest.approx(value.item(), rel=1e-5)


def test_refuses_different_numbers_of_stages() -> None:
    student, teacher = maps(6, (3, 4, 5, 5)), maps(7, (3, 4, 5, 5), (3, 4, 5, 5))

    with pytest.raises(InvalidSpecError, match="student gave 1, the teacher 2"):
        AT()(as_outputs(student), as_outputs(teacher), LABELS_B)


def test_asks_for_feature_maps() -> None:
    assert AT.uses_features
    assert AT().weight == 1000
