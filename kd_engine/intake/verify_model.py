"""Which of the usual ways to feed a network it is meant for.

Judged on images of train: what is chosen by test images says nothing of the test afterwards.

Shapes: N images, B of them in a batch, K classes, S ways to sharpen.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kd_engine.data.dataset import Split
from kd_engine.intake.class_order import MOST_ORDERED, in_both_orders
from kd_engine.intake.scales import Way
from kd_engine.models.foreign import OnnxNetwork
from kd_engine.networks.network import Architecture, Network
from kd_engine.platform.heartbeat import sign
from kd_engine.schema.errors import DataError
from kd_engine.schema.evaluation_report import TriedFeed
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Task

TRIED_IMAGES = 4000
_BATCH = 250
_MOST_SECONDS = 300.0  # then what was seen so far decides; a network that needs that long is slow, and the images many
_CLEARLY = 4.0  # standard errors: there are many ways, and a look after each batch
_RESAMPLES = 2000
_SEED = 1_993  # arbitrary; fixed, so that the same network gets the same report
# A network that was regularised is less sure than it may be, and the scale above its own makes up for that. So logits
# may be multiplied before the log loss is taken, if not by much: too sure is what a wrong scale makes of most.
_SHARPER = (1.0, 2 ** (1 / 3), 2 ** (2 / 3), 2.0)
_ENOUGH = 10  # images of a class: with fewer, another order of the classes does not show


@dataclass
class Tried:
    """A way, and what the network says when it is fed so.

    Attributes:
        network: so fed.
        task: what it is for.
        nll_SN: log loss of each image seen so far, in nats, as it is and sharpened; infinite where an output is not
            finite.
        predicted: what it said of each, batch by batch.
    """

    way: Way
    network: Network
    task: Task
    nll_SN: NDArray[np.float64] = field(default_factory=lambda: np.empty((len(_SHARPER), 0)))
    predicted: list[Tensor] = field(default_factory=list)

    @property
    def losses(self) -> NDArray[np.float64]:
        """Log loss of each image seen so far, as sharp as suits them all best."""
        best: NDArray[np.float64] = self.nll_SN[self.nll_SN.mean(axis=1).argmin()]
        return best

    @property
    def log_loss(self) -> float:
        """What ways are compared by."""
        return float(self.losses.mean())

    @property
    def answers(self) -> Tensor:
        """What it said of each image, in the form of the labels."""
        return torch.cat(self.predicted)

    def accuracy(self, labels_N: Tensor) -> float:
        """Share of the images seen, or of their labels where each may have several, that it names right."""
        return float((self.answers == labels_N[: len(self.answers)]).double().mean())


@dataclass(frozen=True)
class Choice:
    """What came of trying.

    Attributes:
        tried: all ways, the one that is taken first.
        labels_N: of the images, in the order in which they were shown.
        interval: of 95 %, of the log loss of the second less that of the first; None where it was clearly worse.
    """

    tried: tuple[Tried, ...]
    labels_N: Tensor
    interval: tuple[float, float] | None

    @property
    def best(self) -> Tried:
        return self.tried[0]

    def documented(self) -> list[TriedFeed]:
        """Each way with its log loss and accuracy, and on how many images."""
        return [
            TriedFeed(
                name=one.way.shown,
                mean=one.way.feed.mean,
                std=one.way.feed.std,
                channels="bgr" if one.way.feed.bgr else "rgb",
                images=len(one.losses),
                accuracy=one.accuracy(self.labels_N),
                log_loss=_finite(one.nll_SN[0].mean()),
                log_loss_sharpened=_finite(one.log_loss),
            )
            for one in self.tried
        ]

    def notes(self) -> list[str]:
        """What the log losses do not settle."""
        if self.interval is None or not self.interval[0] <= 0 <= self.interval[1]:
            return []
        first, second = self.tried[:2]
        low, high = self.interval
        return [
            f"the network may be meant for '{first.way.shown}' (log loss {first.log_loss:.4f} on {len(first.losses):,} "
            f"images of train) or for '{second.way.shown}' ({second.log_loss:.4f}; 95 % interval of the difference "
            f"{low:+.4f} to {high:+.4f}): the first is taken. If you know which, send it with mean, std and channels."
        ]


def choose(network: Network, split: Split, ways: Sequence[Way], try_turned: bool = False) -> Choice:
    """The way in which the network's log loss on up to 4,000 images of `split` is lowest.

    A wrong scale hardly changes which class a network of ReLUs names, but ruins how sure it is: accuracy does not tell
    (docs/decisions/035). Ways that are clearly worse are not shown further images.

    Args:
        try_turned: try the best way also with the channels the other way round.

    Raises:
        DataError: the outputs are not finite, whatever goes in.
    """
    # drawn, not every n-th: classes may come in turn
    drawn_N = torch.from_numpy(np.random.RandomState(_SEED).permutation(len(split))[:TRIED_IMAGES])
    labels_N = split.labels_N[drawn_N].cpu()
    begun = time.monotonic()
    task = load_task(network.architecture.task)
    alive = [Tried(way, fed(network, way), task) for way in ways]
    dropped: list[Tried] = []
    for drawn_B in torch.split(drawn_N, _BATCH):
        images = Split(split.images_NCHW[drawn_B], split.labels_N[drawn_B].cpu())
        for one in alive:
            _show(one, images)
        if try_turned:
            turned = min(alive, key=lambda one: one.log_loss).way.turned
            alive.append(Tried(turned, fed(network, turned), task))
            _show(alive[-1], images)
            try_turned = False
        best = _best(alive, labels_N)
        if best.accuracy(labels_N) > 0.5 or len(best.losses) >= _ENOUGH * len(network.architecture.classes):
            worse = [one for one in alive if one is not best and _clearly_worse(one, best)]
            dropped += worse
            alive = [one for one in alive if not any(one is other for other in worse)]
        if time.monotonic() - begun > _MOST_SECONDS:
            break
    best = _best(alive, labels_N)
    rest = sorted((one for one in alive if one is not best and np.isfinite(one.log_loss)), key=lambda one: one.log_loss)
    if not np.isfinite(best.log_loss):
        wrong = int((~np.isfinite(best.losses)).sum())
        raise DataError(
            f"the network's outputs are not finite (NaN or infinite) for {wrong:,} of {len(best.losses):,} images of "
            "train, however their pixels are scaled; look at what it gives for a picture before sending it."
        )
    tried = (best, *rest, *sorted(dropped, key=lambda one: one.log_loss))
    return Choice(tried, labels_N[: len(best.losses)], _interval(rest[0].losses - best.losses) if rest else None)


def fed(network: Network, way: Way) -> Network:
    """The same network, fed so."""
    module = network.module
    if isinstance(module, OnnxNetwork):
        module = module.changed(feed=way.feed, layout=way.layout or module.params.layout)
        changed: dict[str, Any] = {"params": module.params.model_dump(mode="json")}
    else:
        changed = {"mean": list(way.feed.mean), "std": list(way.feed.std)}
    return Network(Architecture.from_json(network.architecture.to_json() | changed), module, network.dtype)


def laid_out_ways(network: Network, ways: Sequence[Way]) -> list[Way]:
    """The same; of a model of rows of pixels, each with either order of them."""
    if not isinstance(network.module, OnnxNetwork) or network.module.params.layout != "flat":
        return list(ways)
    if network.architecture.shape[0] == 1:
        return list(ways)
    return [replace(way, layout=layout) for way in ways for layout in ("flat", "flat_chw")]


@torch.inference_mode()
def _show(one: Tried, images: Split) -> None:
    sign("trying how a network takes its pixels")
    logits_BK = one.network.logits(images.images_NCHW).cpu().double()
    nll_SB = torch.stack([one.task.example_losses(logits_BK * by, images.labels_N) for by in _SHARPER])
    nll_SB[:, ~logits_BK.isfinite().all(dim=1)] = torch.inf
    one.nll_SN = np.concatenate([one.nll_SN, nll_SB.numpy()], axis=1)
    one.predicted.append(one.task.predicted(logits_BK))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _best(alive: Sequence[Tried], labels_N: Tensor) -> Tried:
    """That of the lowest log loss; where the classes are clearly in another order, that which then names the most."""
    lowest = min(alive, key=lambda one: one.log_loss)
    classes = len(lowest.network.architecture.classes)
    if len(alive) == 1 or classes > MOST_ORDERED or labels_N.ndim > 1:
        return lowest
    shares = [in_both_orders(labels_N[: len(one.answers)], one.answers, classes) for one in alive]
    named_right, reordered = (max(column) for column in zip(*shares, strict=True))
    mended = reordered > named_right + (1 - named_right) / 2
    return alive[[share for _, share in shares].index(reordered)] if mended else lowest


def _clearly_worse(one: Tried, best: Tried) -> bool:
    if not np.isfinite(one.log_loss):
        return True
    difference_N = one.losses - best.losses
    return bool(difference_N.mean() > _CLEARLY * difference_N.std(ddof=1) / np.sqrt(len(difference_N)))


def _interval(difference_N: NDArray[np.float64]) -> tuple[float, float]:
    """Of 95 %, of the mean: percentiles of a bootstrap over images, both ways drawn with the same ones."""
    random = np.random.RandomState(_SEED)
    images = len(difference_N)
    means = [float(difference_N[random.randint(0, images, images)].mean()) for _ in range(_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)
