"""A quick look at how a network does on a split, taken after each epoch; `evaluation/` measures the rest, once.

Shapes: B images in a batch, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.functional import cross_entropy

from kd_engine.data.dataset import Split
from kd_engine.distributed import ALONE, World
from kd_engine.network import Network
from kd_engine.signs import sign

_BATCH = 1000


@dataclass(frozen=True)
class Evaluation:
    """How a network does on a split.

    Attributes:
        accuracy: share of images whose highest logit is their label, 0 to 1.
        loss: cross-entropy in nats, mean over images.
    """

    accuracy: float
    loss: float


@torch.inference_mode()
def evaluate(network: Network, split: Split, world: World = ALONE) -> Evaluation:
    """Accuracy and loss of `network` on `split`; the module's mode is put back as it was.

    Each process of `world` takes some of the batches; all of them know the result.
    """
    was_training = network.module.training
    network.module.eval()
    correct, losses = [], []
    for start in range(0, len(split), _BATCH)[world.rank :: world.size]:
        sign("evaluating")
        logits_BK = network.logits(split.images_NCHW[start : start + _BATCH])
        labels_B = split.labels_N[start : start + _BATCH]
        correct.append((logits_BK.argmax(dim=1) == labels_B).sum())
        losses.append(cross_entropy(logits_BK, labels_B, reduction="sum").double())
    network.module.train(was_training)
    total_2 = torch.zeros(2, dtype=torch.float64, device=split.labels_N.device)
    if correct:
        total_2 = torch.stack([torch.stack(correct).sum().double(), torch.stack(losses).sum()])
    world.sum_([total_2])
    hits, loss = total_2.tolist()
    return Evaluation(accuracy=hits / len(split), loss=loss / len(split))
