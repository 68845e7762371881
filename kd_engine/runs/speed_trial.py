"""How fast a network learns and answers here: a few steps, tried out on a copy before the first training.

The seconds are for an estimate that is shown; nothing that is trained depends on them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from kd_engine.data.dataset import Dataset
from kd_engine.data.loader import Batch, batches
from kd_engine.jobspec import TrainingSpec
from kd_engine.networks.cost import LATENCY_BATCHES
from kd_engine.networks.network import Network
from kd_engine.training.objective import Objective
from kd_engine.training.rng import generator, seeded
from kd_engine.training.trainer import Trainer

_FEW = 32  # images to begin with: of a large network, more of them tell no more
_SLOW_SECONDS = 0.05
_RUNS = 2
# seen on a core of 2024; most of it is spent on importing what draws and what exports
_DRAWN_SECONDS, _TIMED_SECONDS, _EXPORT_SECONDS = 1.0, 0.6, 1.0


@dataclass(frozen=True)
class Speed:
    """Seconds of one image: in a step of the training, and in an answer."""

    step: float
    answer: float


class _Silent:
    """A callbacks of a training of which nobody hears."""

    def after_step(self, trainer: Trainer) -> None: ...

    def after_epoch(self, trainer: Trainer, metrics: dict[str, float]) -> None: ...


def learning_speed(network: Network, data: Dataset, recipe: TrainingSpec) -> Speed:
    """Of a network that may be trained and thrown away.

    Raises whatever a step raises: DivergedError, or what torch says of shapes and memory.
    """
    with seeded(0, "trial"), Objective(network, label_smoothing=recipe.label_smoothing) as objective:
        trainer = Trainer(network, data, recipe, objective, 0, "trial", _Silent())
        network.module.train()
        step = _seconds_an_image(lambda size: _step(trainer, size), recipe.batch_size, len(data.train))
    return Speed(step, answering_speed(network, data))


def answering_speed(network: Network, data: Dataset) -> float:
    """Seconds that it takes to answer one image, in batches."""
    network.module.eval()
    images_NCHW = data.train.images_NCHW

    def answer(size: int) -> None:
        with torch.no_grad():
            network.logits(images_NCHW[:size])

    return _seconds_an_image(answer, 256, len(images_NCHW))


def _step(trainer: Trainer, size: int) -> None:
    trainer.train_step(_batch(trainer, size))


def _batch(trainer: Trainer, size: int) -> Batch:
    draws = generator(0, "trial", size)
    return next(iter(batches(trainer.data.train, size, draws, trainer.recipe.augmentation)))


def _seconds_an_image(run: Callable[[int], None], size: int, images: int) -> float:
    """Of batches of `size`: all of it where it is fast, and as a share of it where a few images are slow already."""
    size = min(size, images)
    few = min(size, _FEW)
    seconds = _timed(run, few)
    if seconds > _SLOW_SECONDS:
        return seconds / few
    run(size)  # what the first one of a size sets up is no part of the others
    return min(_timed(run, size) for _ in range(_RUNS)) / size


def _timed(run: Callable[[int], None], size: int) -> float:
    start = time.perf_counter()
    run(size)
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def epoch_seconds(speed: Speed, data: Dataset, *, teacher: float = 0.0) -> float:
    """An epoch with its look at validation.

    Args:
        teacher: seconds that a teacher takes to answer an image.
    """
    seconds = len(data.train) * (speed.step + teacher) + len(data.validation) * speed.answer
    return seconds if math.isfinite(seconds) else 0.0


def publishing_seconds(answers: list[float], exports: int) -> float:
    """About what comes after the last training: networks are timed and exported, curves are drawn.

    Args:
        answers: seconds that each network takes to answer an image.
    """
    timed = sum(max(_TIMED_SECONDS, 5 * LATENCY_BATCHES[-1] * seconds) for seconds in answers)
    return _DRAWN_SECONDS + timed + exports * _EXPORT_SECONDS
