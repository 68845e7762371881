"""Measures a network on a split.

Shapes: B images in a batch, N in the split, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from kd_engine.data.dataset import Split
from kd_engine.network import Network

_BATCH = 1000


@dataclass(frozen=True)
class Evaluation:
    """How a network does on a split.

    Attributes:
        accuracy: share of images whose highest logit is their label, 0 to 1.
        loss: cross-entropy in nats, mean over images.
        correct_N: whether each image was named right, in the split's order.
    """

    accuracy: float
    loss: float
    correct_N: Tensor


@torch.inference_mode()
def evaluate(network: Network, split: Split) -> Evaluation:
    """Accuracy and loss of `network` on `split`; the module's mode is put back as it was."""
    was_training = network.module.training
    network.module.eval()
    correct, losses = [], []
    for start in range(0, len(split), _BATCH):
        logits_BK = network.logits(split.images_NCHW[start : start + _BATCH])
        labels_B = split.labels_N[start : start + _BATCH]
        correct.append(logits_BK.argmax(dim=1) == labels_B)
        losses.append(cross_entropy(logits_BK, labels_B, reduction="sum").double())
    network.module.train(was_training)
    correct_N = torch.cat(correct).cpu()
    loss = float(torch.stack(losses).sum()) / len(split)
    return Evaluation(accuracy=int(correct_N.sum()) / len(split), loss=loss, correct_N=correct_N)
