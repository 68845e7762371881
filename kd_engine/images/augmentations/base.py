"""What every augmentation is: parameters with ranges, a draw for each image, and what a draw does to an image.

Shapes, here and in every augmentation: B images in the batch, C channels, H and W pixels; P numbers in a draw.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from kd_engine.schema.strict_model import StrictModel

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Shape = tuple[int, int, int]


class Augmentation(StrictModel):
    """A batch of uint8 images in, a batch of the same shape and type out, each image with a draw of its own.

    A subclass sets `name: Literal["..."] = "..."` and writes `draw` and `apply`. Draws are made on the CPU, from the
    generator that is handed in and from nothing else, so an epoch can be repeated exactly and on every device.
    """

    name: str
    mixes: ClassVar[bool] = False

    def misfit(self, shape: Shape) -> str | None:
        """Why this cannot be done to images of `shape` (channels, height, width); None when it can."""
        return None

    def views(self, shape: Shape) -> int | None:
        """How many ways of showing an image there are; None where they are endless."""
        return None

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """Draws for `n` images, on the CPU: where views can be counted, their numbers `[n]` (int64); else `[n, P]`."""
        raise NotImplementedError(f"the augmentation '{self.name}' has no formula")

    def apply(self, images_BCHW: Tensor, draw: Tensor) -> Tensor:
        """The images as `draw` says, on their own device; equal draws give equal images."""
        raise NotImplementedError(f"the augmentation '{self.name}' has no formula")

    def __call__(self, images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        batch, channels, height, width = images_BCHW.shape
        return self.apply(images_BCHW, self.draw(batch, (channels, height, width), generator))


def uniform(n: int, numbers: int, generator: torch.Generator, least: float, most: float) -> Tensor:
    """float32 `[n, numbers]`, each between `least` and `most`."""
    import torch

    return torch.rand((n, numbers), generator=generator) * (most - least) + least


def to_bytes(pixels_BCHW: Tensor) -> Tensor:
    """float32 pixels, 0 to 255, as uint8: rounded, not cut off, so that what was not changed stays as it was."""
    import torch

    return pixels_BCHW.round_().clamp_(0, 255).to(torch.uint8)
