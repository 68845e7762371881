"""Random crops of padded images. Shapes: B images in the batch, C channels, H and W pixels, T offsets a side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kd_engine.images.augmentations.base import Augmentation, Shape

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Crop(Augmentation):
    """Pads every side by `padding` pixels, then cuts a window of the original size at a random place."""

    name: Literal["crop"] = "crop"
    padding: int = Field(4, ge=1, le=64, description="Pixels added on each side.")
    mode: Literal["zero", "reflect"] = Field("zero", description="What the padding holds.")

    def misfit(self, shape: Shape) -> str | None:
        side = min(shape[1:])
        if self.mode == "reflect" and self.padding >= side:
            return f"reflected padding of {self.padding} pixels needs images of more than that; these have {side}."
        return None

    @property
    def _offsets(self) -> int:
        return 2 * self.padding + 1

    def views(self, shape: Shape) -> int:
        return self._offsets**2

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """The window's top times the number of offsets, plus its left."""
        import torch

        top_B, left_B = torch.randint(0, self._offsets, (2, n), generator=generator)
        view_B: Tensor = top_B * self._offsets + left_B
        return view_B

    def apply(self, images_BCHW: Tensor, draw: Tensor) -> Tensor:
        import torch

        batch, channels, height, width = images_BCHW.shape
        view_B = draw.to(images_BCHW.device)
        padded = _pad(images_BCHW, self.padding, self.mode)
        image, channel, row, column = padded.stride()
        # every window of every image as a view on the same memory: picking one copies whole rows, not pixels
        windows_BCTTHW = padded.as_strided(
            (batch, channels, self._offsets, self._offsets, height, width),
            (image, channel, row, column, row, column),
        )
        image_B = torch.arange(batch, device=view_B.device)
        top_B, left_B = view_B.div(self._offsets, rounding_mode="floor"), view_B.remainder(self._offsets)
        return windows_BCTTHW[image_B, :, top_B, left_B]


def _pad(images_BCHW: Tensor, padding: int, mode: str) -> Tensor:
    from torch.nn.functional import pad

    sides = (padding,) * 4
    if mode == "zero":
        return pad(images_BCHW, sides)
    # torch pads uint8 with zeros only; float16 holds 0..255 exactly
    return pad(images_BCHW.half(), sides, mode="reflect").to(images_BCHW.dtype)
