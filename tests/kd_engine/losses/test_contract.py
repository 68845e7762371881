"""What every loss promises, whoever wrote it. B images, K classes, C channels, H and W of a map, N train images.

A loss that learns or remembers (`build` gives a module) is built anew, from one seed, for each value.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kd_engine.losses import LOSSES, Loss, Outputs, Sizes
from kd_engine.schema.errors import InvalidSpecError
from kd_engine.training.checkpoint import load_tree, save_tree

B, K = 6, 5
SHAPES = ((4, 8, 8), (8, 4, 4))
LABELS_B = torch.arange(B) % K
INDEX_B = torch.tensor([11, 2, 5, 0, 8, 7])
LABELS_N = torch.zeros(12, dtype=torch.long).index_copy(0, INDEX_B, LABELS_B)
SIZES = Sizes(student=SHAPES, teacher=SHAPES, labels_N=LABELS_N, num_classes=K)
VARIANTS: dict[str, dict[str, Any]] = {kind: {} for kind in LOSSES} | {
    f"{kind}, standardized": {"standardize": True} for kind, cls in LOSSES.items() if "standardize" in cls.model_fields
}


@pytest.fixture(params=sorted(VARIANTS))
def loss(request: pytest.FixtureRequest) -> Loss:
    kind = request.param.split(",")[0]
    return LOSSES[kind].model_validate(VARIANTS[request.param])


STATEFUL = [kind for kind, cls in LOSSES.items() if cls.model_validate({}).build(SIZES) is not None]


@pytest.fixture(params=STATEFUL)
def stateful(request: pytest.FixtureRequest) -> Loss:
    return LOSSES[request.param].model_validate({})


@pytest.fixture(params=sorted(variant for variant in VARIANTS if variant not in STATEFUL))
def plain(request: pytest.FixtureRequest) -> Loss:
    """What a loss has learnt stands between student and teacher; these are the others."""
    kind = request.param.split(",")[0]
    return LOSSES[kind].model_validate(VARIANTS[request.param])


@pytest.fixture(params=[kind for kind, cls in LOSSES.items() if cls.uses_features])
def on_features(request: pytest.FixtureRequest) -> Loss:
    return LOSSES[request.param].model_validate({})


def outputs(seed: int, dtype: torch.dtype = torch.float32, images: int = B) -> Outputs:
    generator = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator).to(dtype).requires_grad_()

    return Outputs(draw(images, K) * 3, tuple(draw(images, *shape) for shape in SHAPES))


def leaves(out: Outputs) -> list[Tensor]:
    for tensor in (out.logits_BK, *out.features):
        tensor.retain_grad()
    return [out.logits_BK, *out.features]


def built(loss: Loss, seed: int = 0) -> nn.Module | None:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return loss.build(SIZES)


def value_of(loss: Loss, student: Outputs, teacher: Outputs) -> Tensor:
    module = built(loss)
    if module is None:
        return loss(student, teacher, LABELS_B)
    value: Tensor = module(student, teacher, LABELS_B, INDEX_B)
    return value


def backward(value: Tensor) -> None:
    value.backward()  # type: ignore[no-untyped-call]


def test_value_is_a_finite_float32_scalar_above_zero(loss: Loss) -> None:
    value = value_of(loss, outputs(1), outputs(2))

    assert value.shape == ()
    assert value.dtype == torch.float32
    assert 0 < value.item() < float("inf")


def test_gradient_reaches_what_the_loss_compares_and_is_finite(loss: Loss) -> None:
    student = outputs(1)
    tensors = leaves(student)

    backward(value_of(loss, student, outputs(2)))

    touched = [tensor.grad is not None for tensor in tensors]
    gradients = [tensor.grad for tensor in tensors if tensor.grad is not None]
    assert touched[0] != any(touched[1:])
    assert any(touched[1:]) == loss.uses_features
    assert all(torch.isfinite(gradient).all() for gradient in gradients)
    assert all(gradient.abs().max() > 0 for gradient in gradients)


@pytest.mark.parametrize("variant", [name for name in VARIANTS if LOSSES[name.split(",")[0]].separable])
def test_a_separable_value_is_the_mean_of_its_parts(variant: str) -> None:
    """What lets processes that train together take some of a batch's images each."""
    loss = LOSSES[variant.split(",")[0]].model_validate(VARIANTS[variant])
    module = built(loss)
    if module is not None:
        module.eval()  # BatchNorm in training relates the images, and is taken care of by itself
    student, teacher = outputs(1), outputs(2)

    def part(rows: slice) -> float:
        one, other = (
            Outputs(out.logits_BK[rows], tuple(feature[rows] for feature in out.features)) for out in (student, teacher)
        )
        if module is not None:
            return float(module(one, other, LABELS_B[rows], INDEX_B[rows]).detach())
        return loss(one, other, LABELS_B[rows]).item()

    assert (2 * part(slice(0, 2)) + 4 * part(slice(2, B))) / B == pytest.approx(part(slice(B)), rel=1e-5)


def test_no_gradient_reaches_the_teacher(loss: Loss) -> None:
    teacher = outputs(2)
    tensors = leaves(teacher)

    backward(value_of(loss, outputs(1), teacher))

    assert all(tensor.grad is None for tensor in tensors)


def test_what_the_networks_said_is_left_as_it_was(loss: Loss) -> None:
    student, teacher = outputs(1), outputs(2)

    value_of(loss, student, teacher)

    for used, fresh in ((student, outputs(1)), (teacher, outputs(2))):
        assert torch.equal(used.logits_BK, fresh.logits_BK)
        assert all(map(torch.equal, used.features, fresh.features))


def test_a_student_that_equals_its_teacher_has_nothing_to_learn(plain: Loss) -> None:
    student, other = outputs(3), outputs(4)
    tensors, others = leaves(student), leaves(other)
    different = value_of(plain, other, outputs(3))
    backward(different)

    value = value_of(plain, student, outputs(3))
    backward(value)

    assert value.item() == pytest.approx(0, abs=1e-5 * max(1.0, different.item()))
    for tensor, compared in zip(tensors, others, strict=True):
        assert (tensor.grad is None) == (compared.grad is None)
        if tensor.grad is not None and compared.grad is not None:
            assert tensor.grad.abs().max() <= 1e-4 * compared.grad.abs().max()


@pytest.mark.parametrize("size", [1e-4, 1e4])
def test_extreme_outputs_give_finite_values_and_gradients(loss: Loss, size: float) -> None:
    def scaled(seed: int) -> Outputs:
        out = outputs(seed)
        return Outputs(out.logits_BK * size, tuple(features * size for features in out.features))

    student = scaled(1)
    tensors = leaves(student)
    value = value_of(loss, student, scaled(2))
    backward(value)

    assert torch.isfinite(value)
    assert all(torch.isfinite(tensor.grad).all() for tensor in tensors if tensor.grad is not None)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_inputs_are_computed_in_float32(loss: Loss, dtype: torch.dtype) -> None:
    def widened(out: Outputs) -> Outputs:
        return Outputs(out.logits_BK.float(), tuple(features.float() for features in out.features))

    student, teacher = outputs(1, dtype), outputs(2, dtype)

    value = value_of(loss, student, teacher)

    assert value.dtype == torch.float32
    assert torch.equal(value, value_of(loss, widened(student), widened(teacher)))


def test_autocast_changes_no_bit(loss: Loss) -> None:
    student, again = outputs(1), outputs(1)
    tensors, others = leaves(student), leaves(again)

    with torch.autocast("cpu", torch.bfloat16):
        value = value_of(loss, student, outputs(2))
    backward(value)
    plain = value_of(loss, again, outputs(2))
    backward(plain)

    assert value.dtype == torch.float32
    assert torch.equal(value, plain)
    for tensor, other in zip(tensors, others, strict=True):
        assert tensor.grad is other.grad is None or torch.equal(tensor.grad, other.grad)  # type: ignore[arg-type]


def test_dead_features_give_no_nan(loss: Loss) -> None:
    features = tuple(torch.zeros((B, *shape), requires_grad=True) for shape in SHAPES)
    student = Outputs(torch.zeros(B, K, requires_grad=True), features)

    value = value_of(loss, student, outputs(2))
    backward(value)

    gradients = [tensor.grad for tensor in (student.logits_BK, *student.features) if tensor.grad is not None]
    assert torch.isfinite(value)
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


def test_a_dead_map_gets_a_gradient_of_ordinary_size(on_features: Loss) -> None:
    """Images without activations among live ones must not throw the student away in a single step."""
    student = outputs(1)
    features = tuple(
        (map_BCHW * torch.tensor([0.0, 0, 1, 1, 1, 1]).view(B, 1, 1, 1)).detach().requires_grad_()
        for map_BCHW in student.features
    )

    value = value_of(on_features, Outputs(student.logits_BK, features), outputs(2))
    backward(value)

    for map_BCHW in features:
        assert map_BCHW.grad is None or map_BCHW.grad.abs().max() < 1e3 * max(1.0, value.item())


def test_one_image_is_never_spread_over_a_batch(loss: Loss) -> None:
    with pytest.raises(InvalidSpecError, match=r"\[6, .*\[1, "):
        value_of(loss, outputs(1), outputs(2, images=1))
    with pytest.raises(InvalidSpecError, match=r"\[1, .*\[6, "):
        value_of(loss, outputs(1, images=1), outputs(2))


def test_what_a_loss_learns_gets_a_gradient(stateful: Loss) -> None:
    module = built(stateful)
    assert module is not None

    backward(module(outputs(1), outputs(2), LABELS_B, INDEX_B))

    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        assert parameter.dtype == torch.float32, name


def test_a_restored_loss_goes_on_bit_for_bit(stateful: Loss, tmp_path: Path) -> None:
    def steps(module: nn.Module, first: int, last: int) -> list[Tensor]:
        optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
        values = []
        for step in range(first, last):
            value = module(outputs(2 * step), outputs(2 * step + 1), LABELS_B, INDEX_B)
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
            values.append(value.detach())
        return values

    undisturbed, fresh = built(stateful), built(stateful, seed=1)
    assert undisturbed is not None
    assert fresh is not None
    steps(undisturbed, 0, 3)
    save_tree({"loss": dict(undisturbed.state_dict())}, tmp_path / "checkpoint")
    expected = steps(undisturbed, 3, 6)
    fresh.load_state_dict(load_tree(tmp_path / "checkpoint")["loss"])

    found = steps(fresh, 3, 6)

    assert torch.equal(torch.stack(found), torch.stack(expected))
    for name, value in undisturbed.state_dict().items():
        restored = fresh.state_dict()[name]
        assert torch.equal(value, restored) if isinstance(value, Tensor) else value == restored, name


def test_one_seed_builds_one_module(stateful: Loss) -> None:
    values = []
    for seed in (3, 3, 4):
        module = built(stateful, seed)
        assert module is not None
        values.append(module(outputs(1), outputs(2), LABELS_B, INDEX_B).item())

    assert values[0] == values[1] != values[2]


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_every_number_of_a_loss_has_a_range(kind: str) -> None:
    for name, field in LOSSES[kind].model_json_schema()["properties"].items():
        if field.get("type") in ("number", "integer"):
            assert field.keys() & {"minimum", "exclusiveMinimum"}, name
            assert field.keys() & {"maximum", "exclusiveMaximum"}, name
        if name != "kind":
            assert field["description"], name


@pytest.mark.parametrize("kind", sorted(LOSSES))
def test_docstring_says_what_it_is_and_the_file_names_the_paper(kind: str) -> None:
    cls = LOSSES[kind]
    module = __import__(cls.__module__, fromlist=["__doc__"])

    assert cls.__doc__
    assert module.__doc__
    assert "20" in module.__doc__, "the file's docstring names the paper and its year"


def test_a_feature_loss_refuses_networks_without_feature_maps(on_features: Loss) -> None:
    problem = on_features.misfit(0, 3)

    assert problem is not None
    assert f"'{on_features.kind}'" in problem
    assert on_features.misfit(3, 3) is None


def test_the_folder_is_the_registry() -> None:
    known = {"at", "crd", "dist", "dkd", "fitnets", "fsp", "kl", "logits", "rkd", "sp"}
    assert known <= set(LOSSES)
    assert all(cls.model_fields["kind"].default == kind for kind, cls in LOSSES.items())
