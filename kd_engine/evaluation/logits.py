"""A network's outputs on a whole split. Shapes: B images in a batch, N in the split, K classes."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from kd_engine.data.dataset import Split
from kd_engine.network import Network
from kd_engine.signs import sign

BATCH = 1000  # the same for every pass: rounding may depend on the size of a batch
MOST_KEPT = 2**26  # numbers: 256 MB in float32; ImageNet's 50,000 images of 1,000 classes just fit


class SplitLogits:
    """float32 logits of a network on a split, computed when first asked for.

    Args:
        network: in eval mode; it is not to change from here on.
        keep: hold on to them (on the device) for the next pass, if they are at most `MOST_KEPT` numbers.
    """

    def __init__(self, network: Network, split: Split, *, keep: bool = False) -> None:
        self._network, self.split = network, split
        self._keep = keep and len(split) * len(network.architecture.classes) <= MOST_KEPT
        self._kept: dict[int, Tensor] = {}

    def starts(self) -> Iterator[int]:
        """Where each batch begins."""
        return iter(range(0, len(self.split), BATCH))

    @torch.inference_mode()
    def batch(self, start: int) -> Tensor:
        """Logits `[B, K]` of the images from `start` on."""
        sign("measuring a network")
        if start in self._kept:
            return self._kept[start]
        logits_BK = self._network.logits(self.split.images_NCHW[start : start + BATCH])
        if self._keep:
            self._kept[start] = logits_BK
        return logits_BK
