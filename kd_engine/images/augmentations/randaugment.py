"""A few random operations, each as strong as the others. Shapes: B images in the batch, C channels, H and W pixels;
A acts: an operation and its direction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import Field

from kd_engine.images.augmentations.base import Augmentation, Shape
from kd_engine.images.augmentations.colour import no_colour, recolour
from kd_engine.images.augmentations.geometric import Fill, rotated, scaled, warp

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# the last three have one direction only
OPERATIONS = (
    "rotate", "shear_x", "shear_y", "translate_x", "translate_y", "zoom", "brightness", "contrast", "saturation",
    "posterize", "solarize", "identity",
)  # fmt: skip
ACTS = 2 * len(OPERATIONS)
MOST = 30  # the magnitude at which an operation is as strong as it gets; the scale of the paper


class RandAugment(Augmentation):
    """Does `operations` random ones to each image, one after the other. Cubuk et al. 2019, arXiv:1909.13719.

    At magnitude 30: turn of 30 degrees, shear of .3, shift of .45 of a side, zoom of 30 %, factors of 1 +- .9 on
    brightness, contrast and saturation, 4 bits a pixel (posterize), all pixels inverted (solarize); or nothing at all.
    """

    name: Literal["randaugment"] = "randaugment"
    operations: int = Field(2, ge=1, le=8, description="N of the paper: how many are done to each image.")
    magnitude: int = Field(9, ge=0, le=MOST, description="M of the paper, 0 to 30: how strong they are.")
    fill: Fill = Field("constant", description="What lies beyond the border: the image mirrored, or black.")

    def misfit(self, shape: Shape) -> str | None:
        return no_colour(self.name, shape)

    def views(self, shape: Shape) -> int:
        return self._all

    @property
    def _all(self) -> int:
        return int(ACTS**self.operations)

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """The acts as digits of one number, the first act last."""
        import torch

        return torch.randint(0, self._all, (n,), generator=generator)

    def apply(self, images_BCHW: Tensor, draw: Tensor) -> Tensor:
        import torch

        height, width = images_BCHW.shape[2:]
        acts = _acts(self.magnitude / MOST, height, width)
        for number in range(self.operations):
            act_B = draw.cpu().div(ACTS**number, rounding_mode="floor").remainder(ACTS)
            images_BCHW = warp(images_BCHW, acts.matrix_A22[act_B], self.fill, acts.offset_A2[act_B])
            images_BCHW = recolour(images_BCHW, acts.factors_A3[act_B])
            keep_B, limit_B = (
                table[act_B].to(images_BCHW.device)[:, None, None, None] for table in (acts.keep_A, acts.limit_A)
            )
            images_BCHW = images_BCHW & keep_B
            images_BCHW = torch.where(images_BCHW > limit_B, 255 - images_BCHW, images_BCHW)
        return images_BCHW


class _Acts(NamedTuple):
    """What each act does; an operation's two directions follow each other. Most numbers of an act do nothing.

    Attributes:
        matrix_A22, offset_A2: where pixels are taken from.
        factors_A3: of brightness, contrast, saturation.
        keep_A: bits of a pixel that are kept.
        limit_A: pixels above it are inverted.
    """

    matrix_A22: Tensor
    offset_A2: Tensor
    factors_A3: Tensor
    keep_A: Tensor
    limit_A: Tensor


def _acts(strength: float, height: int, width: int) -> _Acts:
    import torch

    acts = _Acts(
        matrix_A22=torch.eye(2, dtype=torch.float64).repeat(ACTS, 1, 1),
        offset_A2=torch.zeros(ACTS, 2, dtype=torch.float64),
        factors_A3=torch.ones(ACTS, 3),
        keep_A=torch.full((ACTS,), 255, dtype=torch.uint8),
        limit_A=torch.full((ACTS,), 255, dtype=torch.uint8),
    )
    place = {name: slice(2 * number, 2 * number + 2) for number, name in enumerate(OPERATIONS)}
    both = torch.tensor([strength, -strength], dtype=torch.float64)
    acts.matrix_A22[place["rotate"]] = rotated(both * 30 / 360)
    acts.matrix_A22[place["shear_x"], 0, 1] = both * 0.3
    acts.matrix_A22[place["shear_y"], 1, 0] = both * 0.3
    acts.matrix_A22[place["zoom"]] = scaled(1 + both * 0.3)
    acts.offset_A2[place["translate_x"], 0] = both * 0.45 * width
    acts.offset_A2[place["translate_y"], 1] = both * 0.45 * height
    for number, name in enumerate(("brightness", "contrast", "saturation")):
        acts.factors_A3[place[name], number] = (1 + both * 0.9).float()
    acts.keep_A[place["posterize"]] = 256 - 2 ** round(4 * strength)
    acts.limit_A[place["solarize"]] = 255 - round(255 * strength)
    return acts
