"""Several networks as one: its probabilities are the mean of theirs.

Shapes: M members, B images in the batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn

ENSEMBLE = "ensemble"  # what an architecture of this kind is called; the catalogue has no row of that name


class Part(NamedTuple):
    """A network that is to be a member, with the normalisation that it was trained with (of pixels in [0, 1])."""

    module: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]


class Ensemble(nn.Module):
    """From pixels in [0, 1] to logits: log(1/M sum_m softmax(z_m)), float32 whatever the members compute in.

    The mean is of the probabilities at temperature 1, those that the members name classes with. A loss at temperature T
    then softens this one distribution, softmax(log(p) / T), which is not the mean of softmax(z_m / T): the losses take
    logits, and only logits that do not depend on T serve them all.
    """

    def __init__(self, parts: Iterable[Part]) -> None:
        super().__init__()
        self.members = nn.ModuleList(_Member(part) for part in parts)

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        log_p_MBK = torch.stack([member(pixels_BCHW).float().log_softmax(dim=1) for member in self.members])
        return log_p_MBK.logsumexp(dim=0) - math.log(len(self.members))


class _Member(nn.Module):
    mean_C11: Tensor
    std_C11: Tensor

    def __init__(self, part: Part) -> None:
        super().__init__()
        self.network = part.module
        # not among the weights: the architecture has them
        for name, values in (("mean_C11", part.mean), ("std_C11", part.std)):
            self.register_buffer(name, torch.tensor(values).reshape(-1, 1, 1), persistent=False)

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.network((pixels_BCHW - self.mean_C11) / self.std_C11)
        return logits_BK
