"""What a distillation step is measured on: two networks, images and a recipe, the same for all who take turns.

Shapes: N images, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from kd_engine.data.dataset import Split
from kd_engine.jobspec import JobSpec
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.training.rng import seeded

BATCH = 128
TEMPERATURE, ALPHA = 4.0, 0.9
_CLASSES = tuple("0123456789")


@dataclass(frozen=True)
class Work:
    """Networks and data like a data set's, in batches of 128.

    Attributes:
        steps: of a measured epoch.
        augmented: crop with padding 4 and flip, or neither.
        optimizer: as in a job's spec: `sgd` or `adam`, and what they take.
    """

    teacher: str
    student: str
    steps: int
    dataset: str
    shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    augmented: bool
    optimizer: dict[str, Any]

    @property
    def images(self) -> int:
        """How many images a measured epoch shows."""
        return BATCH * self.steps

    def split(self) -> Split:
        """Random pixels and labels."""
        images_NCHW = torch.randint(0, 256, (self.images, *self.shape), dtype=torch.uint8)
        return Split(images_NCHW, torch.randint(0, len(_CLASSES), (self.images,)))

    def spec(self, precision: str) -> JobSpec:
        """The same work as a job."""
        return JobSpec.model_validate(
            {
                "dataset": self.dataset,
                "teacher": self.teacher,
                "student": self.student,
                "temperature": TEMPERATURE,
                "alpha": ALPHA,
                "training": {
                    "batch_size": BATCH,
                    "precision": precision,
                    "optimizer": self.optimizer,
                    "augmentation": ["crop", "flip"] if self.augmented else [],
                },
            }
        ).resolved()

    def network(self, model: str, role: str) -> Network:
        """A network whose BatchNorms have seen images: without statistics the numbers grow from layer to layer beyond
        any real network's."""
        with seeded(0, role):
            network = build(Architecture(model, {}, self.shape, _CLASSES, self.mean, self.std))
            network.module.train()
            with torch.no_grad():
                for _ in range(10):
                    network.logits(torch.randint(0, 256, (32, *self.shape), dtype=torch.uint8))
        return network

    def plain_module(self, model: str, role: str) -> nn.Module:
        """The same network as others write it: contiguous."""
        module: nn.Module = self.network(model, role).module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return module


def cifar(teacher: str, student: str, steps: int) -> Work:
    """Pictures of 3x32x32 with crop and flip, SGD."""
    return Work(
        teacher, student, steps, "cifar10", (3, 32, 32), (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616),
        augmented=True, optimizer={"name": "sgd", "lr": 0.05, "momentum": 0.9, "weight_decay": 5e-4},
    )  # fmt: skip


def mnist(steps: int) -> Work:
    """Softmax regression from a convolutional network on digits of 1x28x28, as they are, Adam."""
    return Work(
        "mnist_cnn", "softmax_regression", steps, "mnist", (1, 28, 28), (0.1307,), (0.3081,),
        augmented=False, optimizer={"name": "adam", "lr": 1e-3},
    )  # fmt: skip
