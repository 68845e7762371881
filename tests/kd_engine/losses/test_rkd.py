"""Relational distillation against loops over pairs and triples of images. B images, C channels, H and W of a map."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from kd_engine.losses import Outputs
from kd_engine.losses.rkd import RKD

Array = NDArray[np.float64]
B = 5
LABELS_B = torch.zeros(B, dtype=torch.long)
LOGITS_BK = torch.zeros(B, 2)


def features(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=(B, *shape))


def as_outputs(maps_BCHW: Array) -> Outputs:
    images = len(maps_BCHW)
    return Outputs(LOGITS_BK[:images], (torch.from_numpy(maps_BCHW).float(),))


def huber(difference: float) -> float:
    return difference**2 / 2 if abs(difference) <= 1 else abs(difference) - 0.5


def distances(points: list[Array]) -> dict[tuple[int, int], float]:
    pairs = list(itertools.permutations(range(len(points)), 2))
    found = {pair: math.dist(points[pair[0]], points[pair[1]]) for pair in pairs}
    mean = sum(found.values()) / len(pairs)
    return {pair: distance / mean for pair, distance in found.items()}


def cosine(points: list[Array], at: int, one: int, other: int) -> float:
    """Of the angle at `at`; 0 where it has a side without length."""
    if at in (one, other):
        return 0.0
    a, b = points[one] - points[at], points[other] - points[at]
    return float(a @ b / math.sqrt(float(a @ a) * float(b @ b)))


def reference(student_BCHW: Array, teacher_BCHW: Array, by_distance: float, by_angle: float) -> float:
    student, teacher = ([image.mean(axis=(1, 2)) for image in maps] for maps in (student_BCHW, teacher_BCHW))
    images = range(len(student))
    d_student, d_teacher = distances(student), distances(teacher)
    distance = sum(huber(d_student[pair] - d_teacher[pair]) for pair in d_student) / len(student) ** 2
    angle = sum(
        huber(cosine(student, *triple) - cosine(teacher, *triple)) for triple in itertools.product(images, repeat=3)
    )
    return by_distance * distance + by_angle * angle / len(student) ** 3


@pytest.mark.parametrize(("distance", "angle"), [(25, 50), (1, 0), (0, 1)])
def test_equals_loops_over_pairs_and_triples(distance: float, angle: float) -> None:
    student, teacher = features(1, 4, 3, 3), features(2, 7, 2, 2)
    student[0] *= 20  # far enough that Huber's linear part is used

    value = RKD(distance=distance, angle=angle)(as_outputs(student), as_outputs(teacher), LABELS_B)

    assert value.item() == pytest.approx(reference(student, teacher, distance, angle), rel=1e-4)


def test_neither_place_nor_size_of_the_points_counts() -> None:
    student, teacher = features(3, 4, 3, 3), features(4, 4, 3, 3)

    value = RKD()(as_outputs(student), as_outputs(teacher), LABELS_B)
    moved = RKD()(as_outputs(student * 10 + 3), as_outputs(teacher), LABELS_B)

    assert moved.item() == pytest.approx(value.item(), rel=1e-3)


def test_two_images_in_one_place_give_a_gradient_of_ordinary_size() -> None:
    student, teacher = features(5, 4, 1, 1), features(6, 4, 1, 1)
    student[1] = student[0]
    out = as_outputs(student)
    out.features[0].requires_grad_()

    RKD()(out, as_outputs(teacher), LABELS_B).backward()  # type: ignore[no-untyped-call]

    assert out.features[0].grad is not None
    assert out.features[0].grad.abs().max() < 100


def test_one_image_has_no_relations() -> None:
    value = RKD()(as_outputs(features(7, 4, 1, 1)[:1]), as_outputs(features(8, 4, 1, 1)[:1]), LABELS_B[:1])

    assert value.item() == 0


def test_published_factors() -> None:
    loss = RKD()

    assert (loss.distance, loss.angle, loss.weight) == (25, 50, 1)
