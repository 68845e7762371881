"""Hints against convolutions written as loops. B images, C channels, H and W of a feature map."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import nn

from kd_engine.losses import Outputs, Sizes
from kd_engine.losses.fitnets import FitNets
from kd_engine.schema.errors import InvalidSpecError

Array = NDArray[np.float64]
Shape = tuple[int, int, int]
B = 4
LABELS_B = torch.zeros(B, dtype=torch.long)
LOGITS_BK = torch.zeros(B, 2)


def hint(student: Shape, teacher: Shape, seed: int = 0, **parameters: Any) -> nn.Module:
    """Built for networks whose other stage fits any regressor."""
    sizes = Sizes(student=((2, 8, 8), student), teacher=((2, 8, 8), teacher), labels_N=LABELS_B, num_classes=2)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return FitNets(**parameters).build(sizes)


def outputs(seed: int, shape: Shape) -> Outputs:
    generator = torch.Generator().manual_seed(seed)
    return Outputs(
        LOGITS_BK, (torch.randn(B, 2, 8, 8, generator=generator), torch.randn(B, *shape, generator=generator))
    )


def convolved(images: Array, weight: Array, bias: Array, stride: int, padding: int) -> Array:
    """Output pixel by output pixel; weight `[out, in, kernel, kernel]`."""
    padded = np.pad(images, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
    kernel = weight.shape[-1]
    height, width = ((size - kernel) // stride + 1 for size in padded.shape[2:])
    result = np.zeros((len(images), len(weight), height, width))
    for y, x in np.ndindex(height, width):
        window = padded[:, :, y * stride : y * stride + kernel, x * stride : x * stride + kernel]
        result[:, :, y, x] = np.tensordot(window, weight, axes=((1, 2, 3), (1, 2, 3))) + bias
    return result


def transposed(images: Array, weight: Array, bias: Array, stride: int, padding: int) -> Array:
    """Input pixel by input pixel, each painting a kernel; weight `[in, out, kernel, kernel]`."""
    kernel, (height, width) = weight.shape[-1], images.shape[2:]
    size = [(pixels - 1) * stride + kernel for pixels in (height, width)]
    result = np.zeros((len(images), weight.shape[1], *size))
    for y, x in np.ndindex(height, width):
        painted = np.tensordot(images[:, :, y, x], weight, axes=(1, 0))
        result[:, :, y * stride : y * stride + kernel, x * stride : x * stride + kernel] += painted
    return result[:, :, padding : size[0] - padding, padding : size[1] - padding] + bias[:, None, None]


def reference(module: nn.Module, student: Outputs, teacher: Outputs, how: Any, stride: int, padding: int) -> float:
    """BatchNorm as it is at its start: no scale, no shift, statistics of the batch."""
    state = {name: value.double().numpy() for name, value in module.state_dict().items()}
    images, target = (out.features[1].double().numpy() for out in (student, teacher))
    weight, bias = (state[name] for name in ("regressor.0.weight", "regressor.0.bias"))
    mapped = how(images, weight, bias, stride, padding)
    mean, variance = mapped.mean(axis=(0, 2, 3), keepdims=True), mapped.var(axis=(0, 2, 3), keepdims=True)
    return float(np.mean((np.maximum((mapped - mean) / np.sqrt(variance + 1e-5), 0) - target) ** 2))


@pytest.mark.parametrize(
    ("student", "teacher", "how", "stride", "padding"),
    [
        ((3, 4, 4), (5, 4, 4), convolved, 1, 0),
        ((3, 8, 8), (5, 4, 4), convolved, 2, 1),
        ((3, 7, 7), (5, 4, 4), convolved, 2, 1),
        ((3, 8, 6), (5, 4, 3), convolved, 2, 1),
        ((3, 4, 4), (5, 8, 8), transposed, 2, 1),
    ],
)
def test_equals_loops_over_pixels(student: Shape, teacher: Shape, how: Any, stride: int, padding: int) -> None:
    module, ours, theirs = hint(student, teacher), outputs(1, student), outputs(2, teacher)

    value = module(ours, theirs, LABELS_B, LABELS_B)

    assert value.item() == pytest.approx(reference(module, ours, theirs, how, stride, padding), rel=1e-4)


@pytest.mark.parametrize(
    ("student", "teacher"),
    [((3, 8, 8), (5, 2, 2)), ((3, 4, 4), (5, 7, 7)), ((3, 8, 4), (5, 4, 4)), ((3, 2, 4), (5, 4, 2))],
)
def test_other_sizes_are_refused_naming_both_shapes(student: Shape, teacher: Shape) -> None:
    with pytest.raises(InvalidSpecError) as refused:
        hint(student, teacher)

    assert str(list(student)) in str(refused.value)
    assert str(list(teacher)) in str(refused.value)


def test_maps_of_other_shapes_than_it_was_built_for_are_refused() -> None:
    module = hint((3, 4, 4), (5, 4, 4))

    with pytest.raises(InvalidSpecError, match=r"\[4, 5, 4, 4\].*\[4, 5, 1, 1\]"):
        module(outputs(1, (3, 4, 4)), outputs(2, (5, 1, 1)), LABELS_B, LABELS_B)


def test_the_regressor_learns_a_teacher_that_it_can_express() -> None:
    """The teacher is a regressor's work on the same maps, so the value can reach zero."""
    student = outputs(1, (3, 4, 4))
    with torch.no_grad():
        target = hint((3, 4, 4), (5, 4, 4), seed=9).get_submodule("regressor")(student.features[1])
    teacher, module = Outputs(LOGITS_BK, (student.features[0], target)), hint((3, 4, 4), (5, 4, 4))
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)

    values = []
    for _ in range(150):
        value = module(student, teacher, LABELS_B, LABELS_B)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())

    assert values[-1] < 0.05 * values[0]


def test_stage_is_counted_from_one_and_checked() -> None:
    first = hint((3, 4, 4), (5, 4, 4), stage=1)

    assert dict(first.named_parameters())["regressor.0.weight"].shape == (2, 2, 1, 1)
    assert FitNets().stage == 2
    assert FitNets(stage=3).misfit(3, 3) is None
    assert "stage 3" in (FitNets(stage=3).misfit(3, 2) or "")
    assert "2 or less" in (FitNets(stage=3).misfit(3, 2) or "")
    assert FitNets().misfit(2, 4) is None


def test_published_weight() -> None:
    assert FitNets().weight == 100
