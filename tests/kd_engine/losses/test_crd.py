"""Contrastive distillation against loops over images and negatives.

Shapes: B images in the batch, N train images, D numbers an embedding, C channels, H and W of a map.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from kd_engine.losses import Outputs, Sizes
from kd_engine.losses.crd import CRD, negatives
from kd_engine.schema.errors import InvalidSpecError

Array = NDArray[np.float64]
B, N, D = 4, 12, 6
LABELS_N = torch.arange(N) % 3  # four images a class, so eight of the others
STUDENT, TEACHER = (3, 2, 2), (5, 1, 1)


def module_of(seed: int = 0, labels_N: Tensor = LABELS_N, **parameters: Any) -> nn.Module:
    sizes = Sizes(student=((2, 4, 4), STUDENT), teacher=(TEACHER,), labels_N=labels_N, num_classes=3)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return CRD(**({"dimensions": D} | parameters)).build(sizes)


def outputs(seed: int) -> tuple[Outputs, Outputs]:
    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(B, *shape, generator=generator) for shape in (STUDENT, TEACHER))
    return Outputs(torch.zeros(B, 3), (torch.zeros(B, 2, 4, 4), student)), Outputs(torch.zeros(B, 3), (teacher,))


class Loops:
    """The paper's equations 18 and 19, an image and a negative at a time, all images of other classes as negatives."""

    def __init__(self, module: nn.Module, temperature: float, momentum: float) -> None:
        state = {name: value for name, value in module.state_dict().items() if isinstance(value, Tensor)}
        self.state = {name: value.double().numpy().copy() for name, value in state.items()}
        self.banks = {"student": self.state["student_ND"], "teacher": self.state["teacher_ND"]}
        self.z: dict[str, float] = {}
        self.temperature, self.momentum = temperature, momentum

    def embedded(self, out: Outputs, side: str) -> list[Array]:
        weight, bias = self.state[f"embed_{side}.weight"], self.state[f"embed_{side}.bias"]
        rows = [weight @ image.mean(axis=(1, 2)) + bias for image in out.features[-1].double().numpy()]
        return [row / math.sqrt(float(row @ row)) for row in rows]

    def value(self, student: Outputs, teacher: Outputs, index: list[int]) -> float:
        rows = {"student": self.embedded(student, "student"), "teacher": self.embedded(teacher, "teacher")}
        total = self.anchored("student", rows["student"], self.banks["teacher"], index)
        total += self.anchored("teacher", rows["teacher"], self.banks["student"], index)
        for side in ("student", "teacher"):
            for row, place in zip(rows[side], index, strict=True):
                mixed = self.momentum * self.banks[side][place] + (1 - self.momentum) * row
                self.banks[side][place] = mixed / math.sqrt(float(mixed @ mixed))
        return total

    def anchored(self, side: str, anchors: list[Array], bank: Array, index: list[int]) -> float:
        labels = LABELS_N.tolist()
        picks = [[place] + [n for n in range(N) if labels[n] != labels[place]] for place in index]
        powers = [
            [math.exp(float(anchor @ bank[n]) / self.temperature) for n in pick]
            for anchor, pick in zip(anchors, picks, strict=True)
        ]
        if side not in self.z:
            self.z[side] = N * float(np.mean(powers))
        total, count = 0.0, len(picks[0]) - 1
        for row in powers:
            h = [power / self.z[side] / (power / self.z[side] + count / N) for power in row]
            total -= math.log(h[0]) + sum(math.log(1 - other) for other in h[1:])
        return total / len(index)


@pytest.mark.parametrize(("temperature", "momentum"), [(0.07, 0.5), (1.0, 0.9), (0.3, 0.0)])
def test_equals_loops_over_images_and_negatives(temperature: float, momentum: float) -> None:
    """Several steps: the banks move, and the normalising constants stay those of the first batch."""
    module = module_of(temperature=temperature, momentum=momentum)
    loops = Loops(module, temperature, momentum)

    for step, index in enumerate(([0, 5, 7, 11], [5, 0, 1, 2], [9, 5, 7, 3])):
        student, teacher = outputs(step)
        value = module(student, teacher, LABELS_N[index], torch.tensor(index))
        assert value.item() == pytest.approx(loops.value(student, teacher, index), rel=1e-4)

    for side in ("student", "teacher"):
        assert module.state_dict()[f"{side}_ND"].numpy() == pytest.approx(loops.banks[side], abs=1e-5)


def test_gradient_equals_finite_differences() -> None:
    """Of the second step: in the first, the constants Z are estimated and get no gradient."""
    (student, teacher), index_B = outputs(1), torch.tensor([0, 5, 7, 11])

    def second_value(features_BCHW: Tensor) -> Tensor:
        module = module_of(temperature=0.5)
        module(student, teacher, LABELS_N[index_B], index_B)
        value: Tensor = module(Outputs(student.logits_BK, (features_BCHW,)), teacher, LABELS_N[index_B], index_B)
        return value

    features_BCHW, nudge_BCHW = student.features[1].clone().requires_grad_(), torch.zeros(B, *STUDENT)
    nudge_BCHW[2, 1, 0, 1] = 1e-2
    second_value(features_BCHW).backward()  # type: ignore[no-untyped-call]

    with torch.no_grad():
        rise = second_value(features_BCHW + nudge_BCHW) - second_value(features_BCHW - nudge_BCHW)
    assert features_BCHW.grad is not None
    assert features_BCHW.grad[2, 1, 0, 1].item() == pytest.approx(rise.item() / 2e-2, rel=1e-2)


def test_negatives_are_of_other_classes_and_none_twice() -> None:
    labels_B = torch.tensor([0, 1, 2, 0])

    drawn_BM = negatives(labels_B, LABELS_N, 5, torch.Generator().manual_seed(0))

    assert drawn_BM.shape == (4, 5)
    for label, drawn in zip(labels_B, drawn_BM, strict=True):
        assert (LABELS_N[drawn] != label).all()
        assert len(set(drawn.tolist())) == 5


def test_negatives_are_all_equally_likely() -> None:
    labels_B = torch.zeros(3000, dtype=torch.long)

    drawn_BM = negatives(labels_B, LABELS_N, 2, torch.Generator().manual_seed(0))

    counts = drawn_BM.flatten().bincount(minlength=N)
    expected = 3000 * 2 / 8  # chi-square of 7 degrees of freedom: beyond 24.3 once in 1,000
    assert counts[LABELS_N == 0].sum() == 0
    assert ((counts[LABELS_N != 0] - expected) ** 2 / expected).sum() < 24.3


def test_each_step_draws_anew() -> None:
    module, index_B = module_of(negatives=2, momentum=0.0), torch.tensor([0, 5, 7, 11])
    student, teacher = outputs(1)

    # the banks hold this batch's rows from the first step on, so that only the draws differ after it
    values = {module(student, teacher, LABELS_N[index_B], index_B).item() for _ in range(6)}

    assert len(values) > 3


def test_takes_all_images_of_other_classes_where_there_are_fewer_than_asked_for() -> None:
    """Of the largest class there are six, so six of the others: the smallest number that every image can have."""
    labels_N = torch.tensor([0] * 6 + [1] * 4 + [2] * 2)
    (student, teacher), index_B = outputs(1), torch.tensor([0, 5, 7, 11])

    capped = module_of(labels_N=labels_N, negatives=16_384)(student, teacher, labels_N[index_B], index_B)

    exact = module_of(labels_N=labels_N, negatives=6)(student, teacher, labels_N[index_B], index_B)
    assert capped.equal(exact)


def test_train_images_of_one_class_are_refused() -> None:
    with pytest.raises(InvalidSpecError, match="two classes"):
        module_of(labels_N=torch.zeros(N, dtype=torch.long))


def test_the_teachers_map_is_learnt_too_but_nothing_flows_into_the_teacher() -> None:
    (student, teacher), index_B = outputs(2), torch.tensor([0, 5, 7, 11])
    teacher.features[0].requires_grad_()
    module = module_of()

    module(student, teacher, LABELS_N[index_B], index_B).backward()

    assert teacher.features[0].grad is None
    assert all(parameter.grad is not None for parameter in module.parameters())


def test_the_labels_are_no_part_of_a_checkpoint() -> None:
    assert "labels_N" not in module_of().state_dict()


def test_published_defaults() -> None:
    loss = CRD()

    assert (loss.temperature, loss.dimensions, loss.negatives, loss.momentum, loss.weight) == (
        0.07,
        128,
        16384,
        0.5,
        0.8,
    )
