"""A network's outputs on a whole split. Shapes: B images in a batch, N in the split, K classes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from kd_engine.data.dataset import Split
from kd_engine.platform.heartbeat import sign

MOST_KEPT = 2**26  # numbers: 256 MB in float32; ImageNet's 50,000 images of 1,000 classes just fit
_MOST_IMAGES = 1000
_BYTES = 2**25  # of a batch's pixels as float32: 1,000 images of 3x53x53, 55 of 3x224x224


class Answering(Protocol):
    """A network, or another program that answers as one."""

    def logits(self, images_BCHW: Tensor) -> Tensor:
        """float32 logits `[B, K]` of uint8 images."""


def batch_size(shape: tuple[int, ...]) -> int:
    """How many images of this shape are answered at once: the same for every pass, whatever memory is free, since
    rounding may depend on the size of a batch.
    """
    return max(1, min(_MOST_IMAGES, _BYTES // (4 * math.prod(shape))))


class SplitLogits:
    """float32 logits of a network on a split, computed when first asked for.

    Args:
        network: in eval mode; it is not to change from here on.
        keep: hold on to them (on the device) for the next pass, if they are at most `MOST_KEPT` numbers.
    """

    def __init__(self, network: Answering, split: Split, *, keep: bool = False) -> None:
        self._network, self.split = network, split
        self._keep = keep
        self._batch = batch_size(tuple(split.images_NCHW.shape[1:]))
        self._kept: dict[int, Tensor] = {}

    def starts(self) -> Iterator[int]:
        """Where each batch begins."""
        return iter(range(0, len(self.split), self._batch))

    @torch.inference_mode()
    def batch(self, start: int) -> Tensor:
        """Logits `[B, K]` of the images from `start` on."""
        sign("measuring a network")
        if start in self._kept:
            return self._kept[start]
        logits_BK = self._network.logits(self.split.images_NCHW[start : start + self._batch])
        if self._keep and len(self.split) * logits_BK.shape[1] <= MOST_KEPT:
            self._kept[start] = logits_BK
        return logits_BK
