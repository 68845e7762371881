"""From uint8 pixels to what a network takes. Shapes: B images in the batch, C channels, H and W pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor


@dataclass(frozen=True)
class Normalisation:
    """(x / 255 - mean) / std, a mean and a deviation a channel, both of pixels in [0, 1]."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, images_BCHW: Tensor) -> Tensor:
        """float32 in channels_last from uint8, on the same device; the formula as written, so others can repeat it."""
        mean_C11, std_C11 = _constants(self.mean, self.std, images_BCHW.device)
        pixels_BCHW = images_BCHW.to(torch.float32, memory_format=torch.channels_last)
        return pixels_BCHW.div_(255).sub_(mean_C11).div_(std_C11)


@lru_cache(maxsize=64)
def _constants(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """On the device once, not once a batch: a copy to a GPU costs more than the arithmetic."""
    # float64 constants would be rounded the same way; float32 keeps the in-place arithmetic in float32
    mean_C11, std_C11 = (torch.tensor(values, device=device).reshape(-1, 1, 1) for values in (mean, std))
    return mean_C11, std_C11
