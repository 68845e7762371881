"""Networks and images for the tests of the evaluation: random, but real networks and real passes over a split."""

from __future__ import annotations

import torch

from kd_engine.data.dataset import Split
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.networks.outputs import SplitLogits

IMAGES = 2300  # three batches, the last one short


def a_network(
    classes: int = 10, seed: int = 0, scale: float = 20.0, model: str = "softmax_regression", side: int = 8
) -> Network:
    """A frozen network with random weights; `scale` makes it sure of itself."""
    torch.manual_seed(seed)
    names = tuple(f"class {label}" for label in range(classes))
    network = build(Architecture(model, {}, (1, side, side), names, (0.5,), (0.25,)))
    with torch.no_grad():
        for parameter in network.module.parameters():
            parameter.mul_(scale)
    network.freeze()
    return network


def a_split(classes: int = 10, images: int = IMAGES, seed: int = 0, side: int = 8) -> Split:
    """Noise, half of it labelled as the network of seed 0 would, so that it is right more often than by chance."""
    torch.manual_seed(1000 + seed)
    images_NCHW = torch.randint(0, 256, (images, 1, side, side), dtype=torch.uint8)
    labels_N = torch.randint(0, classes, (images,))
    own_N = a_network(classes, side=side).logits(images_NCHW).argmax(dim=1)
    return Split(images_NCHW, torch.where(torch.rand(images) < 0.5, own_N, labels_N))


def all_logits(network: Network, split: Split) -> torch.Tensor:
    """Logits `[N, K]` of the whole split, put together from a pass of its own."""
    logits = SplitLogits(network, split)
    return torch.cat([logits.batch(start) for start in logits.starts()])
