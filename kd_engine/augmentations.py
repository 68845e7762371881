"""Augmentation of a whole batch of uint8 tensors, each image with its own draw. Importing this never imports torch.

Shapes: B images, C channels, H and W pixels. Every draw comes from the generator that is handed in, so an epoch can be
repeated exactly.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from kd_engine.registry import by_tag, tagged_union
from kd_engine.strict import Strict

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Augmentation(Strict):
    """Base of the augmentations: a batch of images in, a batch of the same shape and type out."""

    name: str

    def misfit(self, shape: tuple[int, int, int]) -> str | None:
        """Why this cannot be done to images of `shape` (channels, height, width); None when it can."""
        return None

    def __call__(self, images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        raise NotImplementedError(f"the augmentation '{self.name}' has no formula")


class Crop(Augmentation):
    """Pads every side by `padding` pixels, then cuts a window of the original size at a random place."""

    name: Literal["crop"] = "crop"
    padding: int = Field(4, ge=1, le=64, description="Pixels added on each side.")
    mode: Literal["zero", "reflect"] = Field("zero", description="What the padding holds.")

    def misfit(self, shape: tuple[int, int, int]) -> str | None:
        side = min(shape[1:])
        if self.mode == "reflect" and self.padding >= side:
            return f"reflected padding of {self.padding} pixels needs images of more than that; these have {side}."
        return None

    def __call__(self, images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        batch, _, height, width = images_BCHW.shape
        pad = self.padding
        padded = _pad(images_BCHW, pad, self.mode)
        top_B, left_B = torch.randint(0, 2 * pad + 1, (2, batch), generator=generator).to(images_BCHW.device)
        rows_BH1 = (top_B[:, None] + torch.arange(height, device=top_B.device))[:, :, None]
        columns_B1W = (left_B[:, None] + torch.arange(width, device=top_B.device))[:, None, :]
        image_B11 = torch.arange(batch, device=top_B.device)[:, None, None]
        cut_BHWC = padded.permute(0, 2, 3, 1)[image_B11, rows_BH1, columns_B1W]
        return cut_BHWC.permute(0, 3, 1, 2)


class Flip(Augmentation):
    """Mirrors each image with probability `p`."""

    name: Literal["flip"] = "flip"
    p: float = Field(0.5, ge=0, le=1)
    direction: Literal["horizontal", "vertical"] = "horizontal"

    def __call__(self, images_BCHW: Tensor, generator: torch.Generator) -> Tensor:
        import torch

        chosen_B = (torch.rand(len(images_BCHW), generator=generator) < self.p).to(images_BCHW.device)
        dim = 3 if self.direction == "horizontal" else 2
        return torch.where(chosen_B[:, None, None, None], images_BCHW.flip(dim), images_BCHW)


def _pad(images_BCHW: Tensor, padding: int, mode: str) -> Tensor:
    from torch.nn.functional import pad

    sides = (padding,) * 4
    if mode == "zero":
        return pad(images_BCHW, sides)
    # torch pads uint8 with zeros only; float16 holds 0..255 exactly
    return pad(images_BCHW.half(), sides, mode="reflect").to(images_BCHW.dtype)


AUGMENTATIONS: dict[str, type[Augmentation]] = by_tag([Crop, Flip], tag="name")

if TYPE_CHECKING:
    AugmentationSpec = Augmentation
else:
    AugmentationSpec: Any = tagged_union(AUGMENTATIONS, tag="name", what="augmentation")
