"""Images mixed with each other, and their labels in the same shares.

Shapes: B images in the batch, C channels, H and W pixels.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from kd_engine.images.augmentations.base import Augmentation, Shape, to_bytes
from kd_engine.images.augmentations.cutout import box

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Mixing(Augmentation):
    """Base of the augmentations that give each image a partner from the same batch; a draw starts with its number."""

    mixes: ClassVar[bool] = True
    p: float = Field(1.0, ge=0, le=1, description="Probability that an image is mixed at all.")

    def partner(self, draw: Tensor) -> Tensor:
        """int64 `[n]`: whose pixels come in."""
        return draw[:, 0].long()

    def share(self, draw: Tensor, shape: Shape) -> Tensor:
        """float32 `[n]`: how much of each image is its own, 0 to 1."""
        raise NotImplementedError(f"the augmentation '{self.name}' has no formula")


class Mixup(Mixing):
    """Fades each image into another, by a share drawn from Beta(alpha, alpha). Zhang et al. 2017, arXiv:1710.09412."""

    name: Literal["mixup"] = "mixup"
    alpha: float = Field(0.2, gt=0, le=100, description="Of the Beta distribution; 1 draws all shares alike.")

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """Partner and share."""
        import torch

        partner_B = torch.randperm(n, generator=generator)
        return torch.stack([partner_B.float(), _shares(n, self.alpha, self.p, generator)], dim=1)

    def share(self, draw: Tensor, shape: Shape) -> Tensor:
        return draw[:, 1]

    def apply(self, images_BCHW: Tensor, draw: Tensor) -> Tensor:
        partner_B, share_B = (part.to(images_BCHW.device) for part in (self.partner(draw), draw[:, 1]))
        partners_BCHW = images_BCHW.index_select(0, partner_B).float()
        return to_bytes(partners_BCHW.lerp(images_BCHW.float(), share_B[:, None, None, None]))


class CutMix(Mixing):
    """Pastes a box of another image over each; labels count by area. Yun et al. 2019, arXiv:1905.04899.

    The box has the image's proportions, an area drawn from Beta(alpha, alpha) and its middle anywhere; what of it lies
    outside is lost, and the share is that of the pixels that were not covered.
    """

    name: Literal["cutmix"] = "cutmix"
    alpha: float = Field(1.0, gt=0, le=100, description="Of the Beta distribution; 1 draws all areas alike.")

    def draw(self, n: int, shape: Shape, generator: torch.Generator) -> Tensor:
        """Partner, and the box: top, bottom, left, right."""
        import torch

        partner_B = torch.randperm(n, generator=generator)
        side_B = (1 - _shares(n, self.alpha, self.p, generator)).sqrt()
        edges = [partner_B.float()]
        for pixels in shape[1:]:
            length_B = (side_B * pixels).round()
            start_B = torch.randint(0, pixels, (n,), generator=generator) - (length_B / 2).floor()
            edges += [start_B.clamp(0, pixels), (start_B + length_B).clamp(0, pixels)]
        return torch.stack(edges, dim=1)

    def share(self, draw: Tensor, shape: Shape) -> Tensor:
        _, top_B, bottom_B, left_B, right_B = draw.unbind(dim=1)
        return 1 - (bottom_B - top_B) * (right_B - left_B) / (shape[1] * shape[2])

    def apply(self, images_BCHW: Tensor, draw: Tensor) -> Tensor:
        import torch

        draw_B5 = draw.to(images_BCHW.device)
        height, width = images_BCHW.shape[2:]
        box_BHW = box(height, width, *draw_B5[:, 1:].unbind(dim=1))
        return torch.where(box_BHW[:, None], images_BCHW.index_select(0, self.partner(draw_B5)), images_BCHW)


def _shares(n: int, alpha: float, p: float, generator: torch.Generator) -> Tensor:
    """float32 `[n]`, each from Beta(alpha, alpha) with probability `p`, else 1."""
    import torch
    from scipy.special import betaincinv

    # torch's own Beta draws from the global generator alone; the inverse of the distribution needs one uniform number
    chosen_B, place_B = torch.rand((2, n), generator=generator, dtype=torch.float64)
    share_B = torch.from_numpy(betaincinv(alpha, alpha, place_B.numpy()))
    return torch.where(chosen_B < p, share_B, torch.ones_like(share_B)).float()
