"""Rotation and zoom: one bilinear sampling through an affine map.

Shapes: B images in the batch, C channels, H and W pixels; 22 a matrix of a pixel's place (x, y), counted from the
image's centre, to the place where its colour is taken from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kd_engine.images.augmentations.base import Augmentation, Shape, to_bytes, uniform

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Fill = Literal["reflect", "constant"]
_PADDING_MODES = {"reflect": "reflection", "constant": "zeros"}
_TURN = 6.283185307179586  # a whole turn, in radians


class Geometric(Augmentation):
    """Base of the augmentations that move pixels; several in a row are sampled once, by `warp`."""

    fill: Fill = Field("reflect", description="What lies beyond the border: the image mirrored, or black.")

    def matrix(self, draw: Tensor) -> Tensor:
        """`[B, 2, 2]` of the draws."""
        raise NotImplementedError(f"the augmentation '{self.name}' has no formula")

    def apply(self, images_BCHW: Tensor, draw: Tensor) -> Tensor:
        return warp(images_BCHW, self.matrix(draw), self.fill)


class Rotation(Geometric):
    """Turns each image about its centre, either way, by up to `factor` of a whole turn."""

    name: Literal["rotation"] = "rotation"
    factor: float = Field(0.1, gt=0, le=0.5, description="Largest turn; 0.1 is 36 degrees.")

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """Turns, counted against the clock."""
        return uniform(n, 1, generator, -self.factor, self.factor)

    def matrix(self, draw: Tensor) -> Tensor:
        return rotated(draw[:, 0])


class Zoom(Geometric):
    """Shows each image larger or smaller, proportions kept, by up to `factor`."""

    name: Literal["zoom"] = "zoom"
    factor: float = Field(0.1, gt=0, lt=1, description="0.1 shows between 90 and 110 % of each side.")

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """Which share of each side is seen."""
        return uniform(n, 1, generator, 1 - self.factor, 1 + self.factor)

    def matrix(self, draw: Tensor) -> Tensor:
        return scaled(draw[:, 0])


def rotated(turns_B: Tensor) -> Tensor:
    """`[B, 2, 2]`, in float64: what is seen turns against the clock."""
    import torch

    angle_B = turns_B.double() * _TURN
    cos_B, sin_B = angle_B.cos(), angle_B.sin()
    return torch.stack([cos_B, -sin_B, sin_B, cos_B], dim=1).reshape(-1, 2, 2)


def scaled(share_B: Tensor) -> Tensor:
    """`[B, 2, 2]`, in float64: this share of each side is seen."""
    import torch

    return share_B.double()[:, None, None] * torch.eye(2, dtype=torch.float64)


def warp(images_BCHW: Tensor, matrix_B22: Tensor, fill: Fill, offset_B2: Tensor | None = None) -> Tensor:
    """Each image sampled bilinearly where its matrix, plus an offset in pixels (x, y), leads; uint8 again, rounded.

    The matrices come on the CPU in float64; the sampling is done in float32 on the images' device.
    """
    import torch
    from torch.nn.functional import affine_grid, grid_sample

    height, width = images_BCHW.shape[2:]
    # torch counts places from -1 to 1 between the image's edges, whatever its sides
    half_2 = torch.tensor([width / 2, height / 2], dtype=torch.float64)
    offset_B2 = torch.zeros(len(matrix_B22), 2) if offset_B2 is None else offset_B2
    theta_B22 = matrix_B22 * half_2 / half_2[:, None]
    theta_B23 = torch.cat([theta_B22, (offset_B2 / half_2)[:, :, None]], dim=2)
    grid_BHW2 = affine_grid(
        theta_B23.float().to(images_BCHW.device), list(images_BCHW.shape), align_corners=False
    )  # fmt: skip
    pixels_BCHW = images_BCHW.float()
    return to_bytes(grid_sample(pixels_BCHW, grid_BHW2, "bilinear", _PADDING_MODES[fill], align_corners=False))
