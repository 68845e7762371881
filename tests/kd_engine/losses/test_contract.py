"""What every loss promises, whoever wrote it. B images, K classes, C channels, H and W of a feature map."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from kd_engine.losses import LOSSES, Loss, Outputs

B, K = 6, 5
SHAPES = ((B, 4, 8, 8), (B, 8, 4, 4))


@pytest.fixture(params=sorted(LOSSES))
def loss(request: pytest.FixtureRequest) -> Loss:
    return LOSSES[request.param].model_validate({})


def outputs(seed: int, dtype: torch.dtype = torch.float32) -> Outputs:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(dtype).requires_grad_()

    return Outputs(draw(B, K) * 3, tuple(draw(*shape) for shape in SHAPES))


def leaves(out: Outputs) -> list[Tensor]:
    for tensor in (out.logits_BK, *out.features):
        tensor.retain_grad()
    return [out.logits_BK, *out.features]


LABELS_B = torch.arange(B) % K


def test_value_is_a_finite_float32_scalar_above_zero(loss: Loss) -> None:
    value = loss(outputs(1), outputs(2), LABELS_B)

    assert value.shape == ()
    assert value.dtype == torch.float32
    assert 0 < value.item() < float("inf")


def test_gradient_reaches_the_student_and_is_finite(loss: Loss) -> None:
    student = outputs(1)
    tensors = leaves(student)

    loss(student, outputs(2), LABELS_B).backward()  # type: ignore[no-untyped-call]

    gradients = [tensor.grad for tensor in tensors if tensor.grad is not None]
    used = tensors[1:] if loss.uses_features else tensors[:1]
    assert len(gradients) == len(used)
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(gradient.abs().max() > 0 for gradient in gradients)


def test_no_gradient_reaches_the_teacher(loss: Loss) -> None:
    teacher = outputs(2)
    tensors = leaves(teacher)

    loss(outputs(1), teacher, LABELS_B).backward()  # type: ignore[no-untyped-call]

    assert all(tensor.grad is None for tensor in tensors)


def test_what_the_networks_said_is_left_as_it_was(loss: Loss) -> None:
    student, teacher = outputs(1), outputs(2)

    loss(student, teacher, LABELS_B)

    for used, fresh in ((student, outputs(1)), (teacher, outputs(2))):
        assert torch.equal(used.logits_BK, fresh.logits_BK)
        assert all(map(torch.equal, used.features, fresh.features))


def test_a_student_that_equals_its_teacher_has_nothing_to_learn(loss: Loss) -> None:
    student = outputs(3)
    tensors = leaves(student)

    value = loss(student, outputs(3), LABELS_B)
    value.backward()  # type: ignore[no-untyped-call]

    assert value.item() == pytest.approx(0, abs=1e-6)
    for tensor in tensors:
        assert tensor.grad is None or tensor.grad.abs().max() < 1e-5


@pytest.mark.parametrize("size", [1e-4, 1e4])
def test_extreme_outputs_give_finite_values_and_gradients(loss: Loss, size: float) -> None:
    def scaled(seed: int) -> Outputs:
        out = outputs(seed)
        return Outputs(out.logits_BK * size, tuple(features * size for features in out.features))

    student = scaled(1)
    tensors = leaves(student)
    value = loss(student, scaled(2), LABELS_B)
    value.backward()  # type: ignore[no-untyped-call]

    assert torch.isfinite(value)
    assert all(torch.isfinite(tensor.grad).all() for tensor in tensors if tensor.grad is not None)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_inputs_are_computed_in_float32(loss: Loss, dtype: torch.dtype) -> None:
    def widened(out: Outputs) -> Outputs:
        return Outputs(out.logits_BK.float(), tuple(features.float() for features in out.features))

    student, teacher = outputs(1, dtype), outputs(2, dtype)

    value = loss(student, teacher, LABELS_B)

    assert value.dtype == torch.float32
    assert torch.equal(value, loss(widened(student), widened(teacher), LABELS_B))


def test_dead_features_give_no_nan(loss: Loss) -> None:
    student = Outputs(torch.zeros(B, K, requires_grad=True), tuple(torch.zeros(s, requires_grad=True) for s in SHAPES))

    value = loss(student, outputs(2), LABELS_B)
    value.backward()  # type: ignore[no-untyped-call]

    used = student.features if loss.uses_features else (student.logits_BK,)
    assert torch.isfinite(value)
    assert all(tensor.grad is not None and torch.isfinite(tensor.grad).all() for tensor in used)


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_docstring_says_what_it_is_and_the_file_names_the_paper(kind: str) -> None:
    cls = LOSSES[kind]
    module = __import__(cls.__module__, fromlist=["__doc__"])

    assert cls.__doc__
    assert module.__doc__
    assert "20" in module.__doc__, "the file's docstring names the paper and its year"


def test_the_folder_is_the_registry() -> None:
    assert {"at", "kl", "logits"} <= set(LOSSES)
    assert all(cls.model_fields["kind"].default == kind for kind, cls in LOSSES.items())
