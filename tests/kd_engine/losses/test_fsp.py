"""The flow between stages against loops over channels. B images, C channels, H and W of a feature map."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kd_engine.losses import Outputs, Sizes
from kd_engine.losses.fsp import FSP
from kd_engine.schema.errors import InvalidSpecError

Array = NDArray[np.float64]
B = 3
LABELS_B = torch.zeros(B, dtype=torch.long)
LOGITS_BK = torch.zeros(B, 2)


def maps(seed: int, *shapes: tuple[int, ...]) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.normal(size=(B, *shape)) for shape in shapes]


def as_outputs(features: list[Array]) -> Outputs:
    return Outputs(LOGITS_BK, tuple(torch.from_numpy(array).float() for array in features))


def pooled(map_CHW: Array, height: int, width: int) -> Array:
    """The largest number of each block; sizes are multiples of each other."""
    channels, rows, columns = map_CHW.shape
    blocks = map_CHW.reshape(channels, height, rows // height, width, columns // width)
    return np.asarray(blocks.max(axis=(2, 4)))


def flow(before_CHW: Array, after_CHW: Array) -> Array:
    """Equation 1, entry by entry."""
    height = min(before_CHW.shape[1], after_CHW.shape[1])
    width = min(before_CHW.shape[2], after_CHW.shape[2])
    before, after = pooled(before_CHW, height, width), pooled(after_CHW, height, width)
    entries = np.zeros((len(before), len(after)))
    for i, j, s, t in np.ndindex(len(before), len(after), height, width):
        entries[i, j] += before[i, s, t] * after[j, s, t] / (height * width)
    return entries


def reference(student: list[Array], teacher: list[Array]) -> float:
    total = 0.0
    for stage in range(len(student) - 1):
        differences = [
            (flow(teacher[stage][b], teacher[stage + 1][b]) - flow(student[stage][b], student[stage + 1][b])) ** 2
            for b in range(B)
        ]
        total += float(np.mean(differences))
    return total


def test_equals_loops_over_channels_and_pixels() -> None:
    shapes = ((4, 8, 8), (5, 4, 4), (6, 4, 4))
    student, teacher = maps(1, *shapes), maps(2, *shapes)

    value = FSP()(as_outputs(student), as_outputs(teacher), LABELS_B)

    assert value.item() == pytest.approx(reference(student, teacher), rel=1e-5)


def test_the_networks_may_differ_in_size_and_grow_from_stage_to_stage() -> None:
    student, teacher = maps(3, (4, 2, 2), (5, 4, 8)), maps(4, (4, 8, 8), (5, 4, 4))

    value = FSP()(as_outputs(student), as_outputs(teacher), LABELS_B)

    assert value.item() == pytest.approx(reference(student, teacher), rel=1e-5)


def test_different_channels_are_refused_by_name_before_training() -> None:
    sizes = Sizes(
        student=((4, 8, 8), (8, 4, 4)), teacher=((4, 8, 8), (16, 4, 4)), labels_N=LABELS_B, num_classes=2
    )  # fmt: skip

    with pytest.raises(InvalidSpecError, match=r"stage 2 .*\[8, 4, 4\] .*\[16, 4, 4\]"):
        FSP().build(sizes)


def test_different_channels_are_refused_in_the_formula_as_well() -> None:
    student, teacher = maps(5, (4, 8, 8), (1, 4, 4)), maps(6, (4, 8, 8), (16, 4, 4))

    with pytest.raises(InvalidSpecError, match=r"\[1, 4, 4\] .*\[16, 4, 4\]"):
        FSP()(as_outputs(student), as_outputs(teacher), LABELS_B)


def test_needs_two_stages_and_a_partner_for_each() -> None:
    assert FSP().misfit(3, 3) is None
    assert "consecutive" in (FSP().misfit(1, 1) or "")
    assert "3 stages" in (FSP().misfit(3, 2) or "")
