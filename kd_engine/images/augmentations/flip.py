"""Mirrored images. Shapes: B images in the batch, C channels, H and W pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import Field

from kd_engine.images.augmentations.base import Augmentation, Shape

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Flip(Augmentation):
    """Mirrors each image with probability `p`."""

    name: Literal["flip"] = "flip"
    p: float = Field(0.5, ge=0, le=1)
    direction: Literal["horizontal", "vertical"] = "horizontal"

    def views(self, shape: Shape) -> int:
        return 2

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """1 where the image is mirrored."""
        import torch

        return (torch.rand(n, generator=generator) < self.p).long()

    def apply(self, images_BCHW: Tensor, draw: Tensor) -> Tensor:
        import torch

        chosen_B = draw.to(images_BCHW.device).bool()
        dim = 3 if self.direction == "horizontal" else 2
        return torch.where(chosen_B[:, None, None, None], images_BCHW.flip(dim), images_BCHW)
