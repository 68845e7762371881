"""What a network in training minimises. B images in the batch, K classes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from kd_engine.data.dataset import Split
from kd_engine.data.loader import Batch
from kd_engine.losses import LOSSES, Loss
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.schema.errors import InvalidSpecError
from kd_engine.teachers.live import LiveTeacher
from kd_engine.teachers.network import TeacherNetwork
from kd_engine.training.objective import Objective

B = 8
TRAIN = Split(
    torch.randint(0, 256, (24, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)),
    torch.arange(24) % 3,
)
BATCH = Batch(TRAIN.images_NCHW[4 : 4 + B], TRAIN.labels_N[4 : 4 + B], torch.arange(4, 4 + B))


def network(seed: int, model: str = "mnist_cnn", **params: Any) -> Network:
    params = params or ({"channels": [4, 8], "hidden": 16, "dropout": 0.0} if model == "mnist_cnn" else {})
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(Architecture(model, params, (1, 8, 8), ("a", "b", "c"), (0.5,), (0.5,)))


def objective(
    *losses: Loss, student: Network | None = None, teacher: Network | None = None, seed: int = 0
) -> Objective:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        live = LiveTeacher(TeacherNetwork(teacher or network(2)), features=any(loss.uses_features for loss in losses))
        return Objective(student or network(1), losses=losses, teacher=live, train=TRAIN)


def loss(kind: str, **values: Any) -> Loss:
    return LOSSES[kind].model_validate(values)


def test_without_losses_it_is_cross_entropy_alone() -> None:
    student = network(1)

    terms = Objective(student).terms(BATCH, 0.0)

    expected = torch.nn.functional.cross_entropy(student.logits(BATCH.images_BCHW), BATCH.labels_B)
    assert list(terms) == ["ce"]
    assert terms["ce"].equal(expected)


def test_terms_are_named_by_kind_and_place_and_weighted() -> None:
    with objective(loss("kl", weight=1), loss("sp", weight=1), loss("kl", weight=3)) as terms_of:
        terms = terms_of.terms(BATCH, 0.0)

    assert list(terms) == ["ce", "kl[0]", "sp[1]", "kl[2]"]
    assert terms["kl[2]"].item() == pytest.approx(3 * terms["kl[0]"].item(), rel=1e-6)


@pytest.mark.parametrize("kind", ["kl", "at", "fitnets"])
def test_each_term_has_its_own_warm_up(kind: str) -> None:
    sizes = []
    for epoch in (0.0, 1.0, 4.0, 9.0):
        with objective(loss(kind, warmup_epochs=4), loss("logits")) as terms_of:
            terms = terms_of.terms(BATCH, epoch)
        sizes.append(terms[f"{kind}[0]"].item())
        assert terms["logits[1]"].item() > 0

    assert sizes[0] == 0
    assert sizes[1] == pytest.approx(sizes[2] / 4, rel=1e-5)
    assert sizes[2] == sizes[3]


def test_what_losses_learn_is_trained_with_the_student_and_the_teacher_is_not() -> None:
    teacher = network(2)
    with objective(loss("kl"), loss("fitnets"), loss("crd", negatives=5), teacher=teacher) as terms_of:
        learnt = list(terms_of.parameters())
        torch.stack(list(terms_of.terms(BATCH, 0.0).values())).sum().backward()  # type: ignore[no-untyped-call]

    assert len(learnt) == 4 + 4  # convolution and BatchNorm; two linear maps
    assert all(parameter.grad is not None for parameter in learnt)
    assert all(parameter.grad is None for parameter in teacher.module.parameters())


def test_a_plain_formula_has_no_state() -> None:
    with objective(loss("kl"), loss("at"), loss("fsp"), loss("rkd")) as terms_of:
        assert terms_of.state() == {}
        assert list(terms_of.parameters()) == []


def test_a_restored_objective_goes_on_with_what_it_has_learnt() -> None:
    losses = (loss("crd", negatives=5), loss("fitnets"))
    with objective(*losses) as first, objective(*losses, seed=1) as second:
        first.terms(BATCH, 0.0)
        second.restore(first.state())
        expected, found = first.terms(BATCH, 0.0), second.terms(BATCH, 0.0)

    assert list(found) == list(expected)
    assert all(found[name].equal(expected[name]) for name in expected)


def test_building_changes_nothing_of_the_student() -> None:
    student = network(1, "resnet20")
    before = {name: value.clone() for name, value in student.module.state_dict().items()}
    student.module.train()

    with objective(loss("fitnets"), student=student, teacher=network(2, "resnet20")):
        pass

    assert student.module.training
    assert all(value.equal(before[name]) for name, value in student.module.state_dict().items())


@pytest.mark.parametrize(
    ("kind", "student", "teacher", "said"),
    [
        ("at", "resnet20", "mnist_cnn", "3 stages and the teacher 2"),
        ("sp", "softmax_regression", "mnist_cnn", "0 stages and the teacher 2"),
        ("fsp", "resnet20", "mnist_cnn", "3 stages and the teacher 2"),
    ],
)
def test_networks_that_a_loss_cannot_compare_are_refused(kind: str, student: str, teacher: str, said: str) -> None:
    with pytest.raises(InvalidSpecError, match=said):
        objective(loss(kind), student=network(1, student), teacher=network(2, teacher))


def test_networks_of_two_families_are_compared_through_a_learnt_map() -> None:
    with objective(loss("fitnets"), student=network(1), teacher=network(2, "resnet20")) as terms_of:
        terms = terms_of.terms(BATCH, 0.0)

    assert terms["fitnets[0]"].isfinite()
    assert next(iter(terms_of.parameters())).shape == (8, 32, 4, 4)  # transposed: from 8 x 2 x 2 to 32 x 4 x 4


def test_the_taps_are_removed_afterwards() -> None:
    student = network(1)
    with objective(loss("sp"), student=student):
        assert any(module._forward_hooks for module in student.module.modules())

    assert not any(module._forward_hooks for module in student.module.modules())
