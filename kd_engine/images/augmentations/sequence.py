"""Several augmentations, one after the other, as one.

Shapes: B images in the batch, C channels, H and W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from kd_engine.images.augmentations.base import Augmentation, Shape
from kd_engine.images.augmentations.geometric import Geometric, warp
from kd_engine.images.augmentations.mixing import Mixing

if TYPE_CHECKING:
    import torch
    from torch import Tensor

# An image is shown once an epoch: among more views than this hardly one comes up twice in a job, and a number that
# never comes back is of no use.
MOST_VIEWS = 4096


class Augmented(NamedTuple):
    """A batch as it is shown.

    Attributes:
        images_BCHW: uint8.
        view_B: int64, which of `count_views` views each image shows; None where they are endless.
        partner_B: int64, whose pixels were mixed in; None where nothing is mixed.
        share_B: float32, how much of each image is its own; None where nothing is mixed.
    """

    images_BCHW: Tensor
    view_B: Tensor | None
    partner_B: Tensor | None = None
    share_B: Tensor | None = None


def count_views(augmentations: Sequence[Augmentation], shape: Shape) -> int | None:
    """In how many ways an image may be shown; None when they are endless, or more than `MOST_VIEWS`."""
    counts = [augmentation.views(shape) for augmentation in augmentations]
    finite = [count for count in counts if count is not None]
    total = math.prod(finite)
    return total if len(finite) == len(counts) and total <= MOST_VIEWS else None


_ALL = slice(None)


def augment(
    images_BCHW: Tensor, augmentations: Sequence[Augmentation], generator: torch.Generator, part: slice = _ALL
) -> Augmented:
    """Draws for every image, and shows it so; everything stays on the images' device.

    Only the images of `part` are in the result; `partner_B` still counts in the whole batch.
    """
    shape, device = _shape(images_BCHW), images_BCHW.device
    draws = [augmentation.draw(len(images_BCHW), shape, generator) for augmentation in augmentations]
    if part != _ALL and not any(augmentation.mixes for augmentation in augmentations):
        images_BCHW, draws, part = images_BCHW[part], [draw[part] for draw in draws], _ALL
    view_B = None
    if count_views(augmentations, shape) is not None:
        view_B = _combined(augmentations, draws, shape, len(images_BCHW)).to(device)
    shown_BCHW = _apply(images_BCHW, augmentations, draws)
    for augmentation, draw in zip(augmentations, draws, strict=True):
        if isinstance(augmentation, Mixing):
            partner_B, share_B = augmentation.partner(draw).to(device), augmentation.share(draw, shape).to(device)
            return Augmented(shown_BCHW[part], view_B, partner_B[part], share_B[part])
    return Augmented(shown_BCHW, view_B)


def show(images_BCHW: Tensor, augmentations: Sequence[Augmentation], view_B: Tensor) -> Tensor:
    """The images as the views of these numbers show them: what `augment` made when it gave the numbers.

    Raises:
        ValueError: the augmentations have no numbered views.
    """
    shape = _shape(images_BCHW)
    if count_views(augmentations, shape) is None:
        raise ValueError("these augmentations have too many views to be numbered")
    draws: list[Tensor] = []
    rest_B = view_B.cpu()
    for augmentation in reversed(augmentations):
        count = augmentation.views(shape)
        assert count is not None, "the views were counted"
        draws.insert(0, rest_B.remainder(count))
        rest_B = rest_B.div(count, rounding_mode="floor")
    return _apply(images_BCHW, augmentations, draws)


def misfit(augmentations: Sequence[Augmentation], shape: Shape | None) -> tuple[int, str] | None:
    """Which augmentation, by its place, cannot be done to images of `shape`, and why; None when all can.

    What depends on the shape is not checked while that is unknown.
    """
    for place, augmentation in enumerate(augmentations):
        if augmentation.mixes and place + 1 < len(augmentations):
            return place, f"'{augmentation.name}' mixes finished images: put it last, and use one of its kind only."
        problem = augmentation.misfit(shape) if shape is not None else None
        if problem is not None:
            return place, problem
    return None


def _combined(augmentations: Sequence[Augmentation], draws: list[Tensor], shape: Shape, batch: int) -> Tensor:
    """The views' numbers as digits of one number, the last augmentation last."""
    import torch

    view_B = torch.zeros(batch, dtype=torch.int64)
    for augmentation, draw in zip(augmentations, draws, strict=True):
        view_B = view_B * (augmentation.views(shape) or 1) + draw
    return view_B


def _apply(images_BCHW: Tensor, augmentations: Sequence[Augmentation], draws: list[Tensor]) -> Tensor:
    """Geometric neighbours are sampled once: faster, and each sampling blurs."""
    if len(images_BCHW) == 0:
        return images_BCHW
    steps = zip(augmentations, draws, strict=True)
    for fill, run in groupby(steps, key=lambda step: step[0].fill if isinstance(step[0], Geometric) else None):
        together = list(run)
        if fill is None:
            for augmentation, draw in together:
                images_BCHW = augmentation.apply(images_BCHW, draw)
        else:
            images_BCHW = warp(images_BCHW, _product(together), fill)
    return images_BCHW


def _product(steps: list[tuple[Augmentation, Tensor]]) -> Tensor:
    """One map for all: what is shown last is looked up first."""
    matrices = [augmentation.matrix(draw) for augmentation, draw in steps if isinstance(augmentation, Geometric)]
    product = matrices[0]
    for matrix in matrices[1:]:
        product = product @ matrix
    return product


def _shape(images_BCHW: Tensor) -> Shape:
    channels, height, width = images_BCHW.shape[1:]
    return channels, height, width
