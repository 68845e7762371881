"""Squares covered up. Shapes: B images in the batch, C channels, H and W pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kd_engine.images.augmentations.base import Augmentation, Shape

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Cutout(Augmentation):
    """Covers a square around a random pixel; what of it lies outside the image is lost.

    DeVries and Taylor 2017, arXiv:1708.04552.
    """

    name: Literal["cutout"] = "cutout"
    size: int = Field(16, ge=1, le=1024, description="Side of the square, in pixels.")
    fill: int = Field(128, ge=0, le=255, description="Value of the covered pixels.")

    def views(self, shape: Shape) -> int:
        return shape[1] * shape[2]

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """The middle pixel, counted row by row."""
        import torch

        return torch.randint(0, shape[1] * shape[2], (n,), generator=generator)

    def apply(self, images_BCHW: Tensor, draw: Tensor) -> Tensor:
        height, width = images_BCHW.shape[2:]
        middle_B = draw.to(images_BCHW.device)
        top_B = middle_B.div(width, rounding_mode="floor") - self.size // 2
        left_B = middle_B.remainder(width) - self.size // 2
        box_BHW = box(height, width, top_B, top_B + self.size, left_B, left_B + self.size)
        return images_BCHW.masked_fill(box_BHW[:, None], self.fill)


def box(height: int, width: int, top_B: Tensor, bottom_B: Tensor, left_B: Tensor, right_B: Tensor) -> Tensor:
    """bool `[B, H, W]`: the pixels from top and left up to, but not with, bottom and right."""
    import torch

    row_H = torch.arange(height, device=top_B.device)
    column_W = torch.arange(width, device=top_B.device)
    rows_BH = (row_H >= top_B[:, None]) & (row_H < bottom_B[:, None])
    columns_BW = (column_W >= left_B[:, None]) & (column_W < right_B[:, None])
    return rows_BH[:, :, None] & columns_BW[:, None, :]
