"""Whether a network that was sent fits the data set that it is for: how its pixels are normalised, and which output is
which class.

Shapes: B images in a batch, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from kd_engine.data.dataset import Split
from kd_engine.data.normalisation import Normalisation
from kd_engine.errors import DataError
from kd_engine.evaluation.measures import confusion_matrix
from kd_engine.evaluation.outcomes import Outcomes
from kd_engine.network import Architecture, Network
from kd_engine.signs import sign
from kd_engine.statistics import of_paired_difference

TRIED_IMAGES = 1000
_BATCH = 250
_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


@dataclass(frozen=True)
class Tried:
    """A way to normalise pixels, and what share of the tried images was then named right.

    Attributes:
        at_best: the same if the outputs were taken in whatever order fits best: a network in another order than the
            data set is told by it, and not fed wrongly as well.
    """

    name: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    accuracy: float
    at_best: float

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "mean": self.mean, "std": self.std, "accuracy": self.accuracy}


def best_normalisation(network: Network, split: Split, own: Normalisation) -> list[Tried]:
    """All usual ways to normalise, tried on up to 1,000 images spread over the split; the best first.

    Args:
        own: the data set's mean and std.
    """
    images = _spread(split)
    tried = [
        Tried(name, mean, std, *_accuracies(network, images, Normalisation(mean, std)))
        for name, mean, std in _ways(split.images_NCHW.shape[1], own)
    ]
    return sorted(tried, key=lambda one: -one.at_best)  # of equals the first, which is the more usual


def with_normalisation(network: Network, mean: tuple[float, ...], std: tuple[float, ...]) -> Network:
    """The same network, fed so."""
    data = network.architecture.to_json() | {"mean": list(mean), "std": list(std)}
    return Network(Architecture.from_json(data), network.module, network.dtype)


def check_order(outcomes: Outcomes, classes: tuple[str, ...]) -> None:
    """Raises DataError where the outputs, in another order, would name clearly more of the images right."""
    better_K = _best_order(confusion_matrix(outcomes.labels_N, outcomes.predicted_N, len(classes)))
    reordered_N = better_K[outcomes.predicted_N] == outcomes.labels_N
    now_N = outcomes.correct
    gained, lost = int((reordered_N & ~now_N).sum()), int((now_N & ~reordered_N).sum())
    images = len(now_N)
    # an order that is chosen to fit always gains a little: half of what is wrong must become right
    if of_paired_difference(gained, lost, images).interval[0] <= 0 or gained - lost < (images - int(now_N.sum())) / 2:
        return
    order = ",".join(classes[label] for label in better_K.tolist())
    raise DataError(
        f"the network's outputs are in another order than the data set's classes: as sent it names "
        f"{100 * float(now_N.double().mean()):.2f} % of the test images right, with the outputs taken for the classes "
        f"{order} it would be {100 * float(reordered_N.double().mean()):.2f} %. Send it again with classes={order}."
    )


def _spread(split: Split) -> Split:
    step = max(1, len(split) // TRIED_IMAGES)
    return Split(split.images_NCHW[::step][:TRIED_IMAGES], split.labels_N[::step][:TRIED_IMAGES])


def _ways(channels: int, own: Normalisation) -> Iterator[tuple[str, tuple[float, ...], tuple[float, ...]]]:
    yield "pixels in [0, 1]", (0.0,) * channels, (1.0,) * channels
    yield "the data set's mean and std", own.mean, own.std
    yield "pixels in [-1, 1]", (0.5,) * channels, (0.5,) * channels
    yield "pixels in [0, 255]", (0.0,) * channels, (1 / 255,) * channels
    if channels == 3:
        yield "ImageNet's mean and std", *_IMAGENET


@torch.inference_mode()
def _accuracies(network: Network, images: Split, normalise: Normalisation) -> tuple[float, float]:
    parts = []
    for images_BCHW in torch.split(images.images_NCHW, _BATCH):
        sign("trying a normalisation")
        parts.append(network.module(normalise(images_BCHW)).argmax(dim=1))
    confusion_KK = confusion_matrix(images.labels_N, torch.cat(parts), len(network.architecture.classes)).cpu()
    better_K = _best_order(confusion_KK)
    at_best = int(confusion_KK[better_K, torch.arange(len(better_K))].sum())
    return int(confusion_KK.diagonal().sum()) / len(images), at_best / len(images)


def _best_order(confusion_KK: Tensor) -> Tensor:
    """For each output the class that it is, in the order that makes the most images right (the assignment problem)."""
    classes, outputs = linear_sum_assignment(confusion_KK.numpy(), maximize=True)
    better_K = torch.empty(len(confusion_KK), dtype=torch.int64)
    better_K[torch.from_numpy(outputs)] = torch.from_numpy(classes)
    return better_K
