"""From uint8 pixels to what a network takes.

Shapes: B images in the batch, N in a split, C channels, H and W pixels; V the 256 values of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from kd_engine.platform.heartbeat import sign


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


class OncePerBatch:
    """A normalisation that several networks share: each batch is normalised by the first of them."""

    def __init__(self, normalisation: Normalisation) -> None:
        self._normalisation = normalisation
        self._images: Tensor | None = None
        self._pixels: Tensor | None = None

    def __call__(self, images_BCHW: Tensor) -> Tensor:
        """As `Normalisation`; who gets the pixels does not change them."""
        if self._pixels is None or self._images is not images_BCHW:
            self._images, self._pixels = images_BCHW, self._normalisation(images_BCHW)
        return self._pixels


_AT_A_TIME = 256  # images: their pixels are counted as 64-bit numbers
_DIGITS = 6  # the seventh would change with a handful of pixels, and nobody wants to read it


def measure(images_NCHW: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of pixels in [0, 1], a value a channel, rounded to six digits."""
    return mean_and_std(pixel_counts(images_NCHW))


def pixel_counts(images_NCHW: Tensor) -> Tensor:
    """How many pixels of each channel have each of the 256 values, int64 `[C, V]`.

    So what is made of them depends neither on the order of the images nor on threads.
    """
    counts_CV = torch.zeros(images_NCHW.shape[1], 256, dtype=torch.int64)
    for part_BCHW in torch.split(images_NCHW, _AT_A_TIME):
        sign("measuring the pixels")
        for channel in range(len(counts_CV)):
            counts_CV[channel] += torch.bincount(part_BCHW[:, channel].flatten(), minlength=256)
    return counts_CV


def mean_and_std(counts_CV: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """As `measure`, from `pixel_counts`. A channel of one value has a deviation of 1, which leaves it as it is."""
    value_V = torch.arange(256, dtype=torch.float64) / 255
    share_CV = counts_CV / counts_CV.sum(dim=1, keepdim=True).double()
    mean_C = share_CV @ value_V
    std_C = (share_CV * (value_V - mean_C[:, None]) ** 2).sum(dim=1).sqrt()
    mean = tuple(round(value, _DIGITS) for value in mean_C.tolist())
    return mean, tuple(round(value, _DIGITS) or 1.0 for value in std_C.tolist())


@lru_cache(maxsize=64)
def _constants(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """On the device once, not once a batch: a copy to a GPU costs more than the arithmetic."""
    # float64 constants would be rounded the same way; float32 keeps the in-place arithmetic in float32
    mean_C11, std_C11 = (torch.tensor(values, device=device).reshape(-1, 1, 1) for values in (mean, std))
    return mean_C11, std_C11
