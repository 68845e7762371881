"""The one loop that measures answers on a split: of networks in training, finished ones, 8-bit ones, and those that
were sent. Shapes: B images in a batch.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from kd_engine.data.dataset import Split
from kd_engine.distributed.world import ALONE, World
from kd_engine.networks.network import Network
from kd_engine.networks.outputs import SplitLogits
from kd_engine.tasks.base import Meter, Scores, Task


def validate(network: Network, split: Split, task: Task, world: World = ALONE) -> dict[str, float]:
    """The metrics that a look at a validation split gives; the module's mode is put back as it was.

    Each process of `world` takes some of the batches; all of them know the result.
    """
    was_training = network.module.training
    network.module.eval()
    meter = task.meter()
    _measure(meter, SplitLogits(network, split), world=world)
    network.module.train(was_training)
    return meter.metrics()


def score(
    logits: SplitLogits,
    task: Task,
    teacher: SplitLogits | None = None,
    *,
    after_batch: Callable[[int], None] = lambda images: None,
) -> tuple[Scores, dict[str, float]]:
    """One pass over the test split: every image's scores, and the metrics made of them by their key (`test_...`).

    Args:
        teacher: of the same split, to compare with.
        after_batch: hears how many images are done; what it raises ends the pass.

    Raises:
        DivergedError: the network's outputs are not finite.
    """
    evaluator = task.evaluator()
    _measure(evaluator, logits, teacher, after_batch=after_batch)
    keys = {metric.name: metric.key("test") for metric in task.metrics}
    return evaluator.scores(), {keys[name]: value for name, value in evaluator.metrics().items()}


@torch.inference_mode()
def _measure(
    meter: Meter,
    logits: SplitLogits,
    teacher: SplitLogits | None = None,
    *,
    world: World = ALONE,
    after_batch: Callable[[int], None] = lambda images: None,
) -> None:
    for start in [*logits.starts()][world.rank :: world.size]:
        logits_BK = logits.batch(start)
        targets_B = logits.split.labels_N[start : start + len(logits_BK)]
        meter.update(logits_BK, targets_B, None if teacher is None else teacher.batch(start))
        after_batch(start + len(logits_BK))
    meter.merge(world, logits.split.labels_N.device)
