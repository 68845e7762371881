"""A small network with BatchNorm and a data set of noise, for the tests of the exports."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from kd_engine.data.dataset import Dataset, Split
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.networks.outputs import SplitLogits
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Scores
from kd_engine.tasks.evaluate import score

CLASSES = ("tench", "Größe", 'a "quoted" | <name>')
SHAPE = (3, 8, 8)


def a_student() -> Network:
    """Frozen, its BatchNorms with statistics that are not those of a fresh network."""
    torch.manual_seed(0)
    network = build(Architecture("resnet8", {}, SHAPE, CLASSES, (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)))
    network.logits(_images(64))
    network.freeze()
    return network


def data() -> Dataset:
    split = Split(_images(300), torch.randint(0, 3, (300,), generator=torch.Generator().manual_seed(1)))
    return Dataset(split, split, split, CLASSES, SHAPE, "0" * 64)


def scores(network: Network, of: Dataset) -> Scores:
    """What the network says of the test images."""
    return score(SplitLogits(network, of.test), load_task(of.task))[0]


class Around(nn.Module):
    """A network with something done to its output."""

    def __init__(self, module: nn.Module, change: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.module, self.change = module, change

    def forward(self, images_BCHW: Tensor) -> Tensor:
        return self.change(self.module(images_BCHW))


def _images(count: int) -> Tensor:
    return torch.randint(0, 256, (count, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(count))
