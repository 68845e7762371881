"""Brightness, contrast and saturation. Shapes: B images in the batch, C channels, H and W pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kd_engine.images.augmentations.base import Augmentation, Shape, to_bytes, uniform

if TYPE_CHECKING:
    import torch
    from torch import Tensor

_LUMA = (0.299, 0.587, 0.114)  # how bright red, green and blue are seen: ITU-R BT.601, as in JPEG


class ColorJitter(Augmentation):
    """Changes brightness, then contrast, then saturation of each image by factors from 1 - x to 1 + x."""

    name: Literal["color_jitter"] = "color_jitter"
    brightness: float = Field(0.2, ge=0, le=1)
    contrast: float = Field(0.2, ge=0, le=1)
    saturation: float = Field(0.2, ge=0, le=1, description="Grey images have none to change.")

    def misfit(self, shape: Shape) -> str | None:
        return no_colour(self.name, shape)

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """Three factors."""
        import torch

        spread_3 = torch.tensor([self.brightness, self.contrast, self.saturation])
        return 1 + uniform(n, 3, generator, -1, 1) * spread_3

    def apply(self, images_BCHW: Tensor, draw: Tensor) -> Tensor:
        return recolour(images_BCHW, draw)


def no_colour(name: str, shape: Shape) -> str | None:
    """Why images of `shape` have no colours to change; None when they have."""
    if shape[0] in (1, 3):
        return None
    return f"the augmentation '{name}' needs grey or colour images (1 or 3 channels); these have {shape[0]}."


def recolour(images_BCHW: Tensor, factors_B3: Tensor) -> Tensor:
    """Brightness, contrast and saturation by these factors, in this order; factors of 1 change nothing.

    Brightness fades to black, contrast to the mean grey of the image, saturation to the grey of each pixel.
    """
    factors_B3 = factors_B3.to(images_BCHW.device, images_BCHW.new_empty(0).float().dtype)
    brightness, contrast, saturation = (factors_B3[:, step, None, None, None] for step in range(3))
    pixels_BCHW = (images_BCHW.float() * brightness).clamp_(0, 255)
    mean_B111 = _grey(pixels_BCHW).mean(dim=(1, 2, 3), keepdim=True)
    pixels_BCHW = mean_B111.lerp(pixels_BCHW, contrast).clamp_(0, 255)
    if images_BCHW.shape[1] == 3:
        pixels_BCHW = _grey(pixels_BCHW).lerp(pixels_BCHW, saturation)
    return to_bytes(pixels_BCHW)


def _grey(pixels_BCHW: Tensor) -> Tensor:
    """`[B, 1, H, W]`."""
    if pixels_BCHW.shape[1] == 1:
        return pixels_BCHW
    red, green, blue = _LUMA
    return pixels_BCHW[:, :1] * red + pixels_BCHW[:, 1:2] * green + pixels_BCHW[:, 2:] * blue
