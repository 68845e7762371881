"""Operations against hand counts; latency is there and says where it was measured."""

from __future__ import annotations

import pytest
import torch

from kd_engine.networks.cost import cost_of, flops_per_image
from kd_engine.networks.network import Architecture, Network, build
from tests.kd_engine.evaluation.networks import a_network, a_split


def _mnist(model: str) -> Network:
    network = build(Architecture(model, {}, (1, 28, 28), tuple("0123456789"), (0.0,), (1.0,)))
    network.freeze()
    return network


CONVOLUTIONS = 28 * 28 * 32 * 25 * 1 + 14 * 14 * 64 * 25 * 32
LINEAR = 7 * 7 * 64 * 1024 + 1024 * 10


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    ("model", "multiply_adds"), [("softmax_regression", 7_840), ("mnist_cnn", CONVOLUTIONS + LINEAR)]
)
def test_operations_counted_by_hand(model: str, multiply_adds: int, dtype: torch.dtype) -> None:
    network = _mnist(model)
    network.dtype = dtype
    assert flops_per_image(network, torch.zeros(1, 1, 28, 28, dtype=torch.uint8)) == 2 * multiply_adds


@pytest.mark.parametrize("images", [1, 300])
def test_latency_names_its_circumstances(images: int) -> None:
    """Also of a split with fewer images than the larger batch."""
    cost = cost_of(a_network(), a_split(images=images).images_NCHW, 1234)
    assert cost.file_bytes == 1234
    assert (cost.latency.device, cost.latency.threads) == ("cpu", torch.get_num_threads())
    assert cost.latency.batch_1_ms is not None
    assert cost.latency.batch_128_ms is not None
    assert cost.latency.batch_1_ms > 0
    assert cost.latency.batch_128_ms > 0


def test_no_memory_for_a_batch_is_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    network = a_network()
    forward = network.module.forward

    def small_device(images_BCHW: torch.Tensor) -> torch.Tensor:
        if len(images_BCHW) > 1:
            raise torch.OutOfMemoryError("a device with room for one image")
        logits_BK: torch.Tensor = forward(images_BCHW)
        return logits_BK

    monkeypatch.setattr(network.module, "forward", small_device)
    measured = cost_of(network, a_split().images_NCHW, 1).latency
    assert measured.batch_128_ms is None
    assert measured.batch_1_ms is not None
