"""Batches of a split, drawn from one generator. Shapes: N images in the split, B in the batch, C, H, W of an image.

Where several processes train together, a batch here is one process's part of the whole one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kd_engine.data.dataset import Split
from kd_engine.distributed.world import ALONE, World
from kd_engine.images.augmentations import Augmentation, augment


class Mixed(NamedTuple):
    """What the images of a batch were mixed with.

    Attributes:
        partner_labels_B: int64, the label of what was mixed in.
        share_B: float32, 0 to 1, how much `labels_B` counts; the partner's label counts for the rest.
    """

    partner_labels_B: Tensor
    share_B: Tensor


class Whole(NamedTuple):
    """The whole batch of which several processes have a part each.

    Attributes:
        labels_B, index_B: as in `Batch`, of the whole one.
    """

    labels_B: Tensor
    index_B: Tensor


class Batch(NamedTuple):
    """Some images of a split, on the split's device.

    Attributes:
        images_BCHW: uint8, augmented.
        labels_B: int64.
        index_B: int64, each image's place in the split.
        view_B: int64, which view of the image this is, 0 where there is but one; None where they are endless.
        mixed: with what labels, where the augmentation mixes images.
        whole: what this is a part of; None where it is the whole batch.
    """

    images_BCHW: Tensor
    labels_B: Tensor
    index_B: Tensor
    view_B: Tensor | None = None
    mixed: Mixed | None = None
    whole: Whole | None = None

    @property
    def images(self) -> int:
        """How many images the whole batch has."""
        return len(self.labels_B if self.whole is None else self.whole.labels_B)


def batches(
    split: Split,
    batch_size: int,
    generator: torch.Generator,
    augmentations: Sequence[Augmentation],
    *,
    drop_last: bool = False,
    world: World = ALONE,
    view: int | None = None,
) -> Iterator[Batch]:
    """One epoch: each image once, in an order and with augmentations drawn from `generator` (a CPU generator).

    A generator in the same state gives the same epoch, on every device. `drop_last` leaves out a last batch that is
    smaller than `batch_size`. `view` is the number of what all images show in this epoch, where the same few epochs
    come again and again. Each process of `world` draws for the whole batch, and shows its part: together they see
    what one process would.
    """
    order_N = torch.randperm(len(split), generator=generator).to(split.labels_N.device)
    end = len(split) - len(split) % batch_size if drop_last else len(split)
    for start in range(0, end, batch_size):
        index_B = order_N[start : min(start + batch_size, end)]
        part = world.part(len(index_B))
        shown = augment(split.images_NCHW.index_select(0, index_B), augmentations, generator, part)
        labels_B = split.labels_N.index_select(0, index_B)
        mixed = None
        if shown.partner_B is not None and shown.share_B is not None:
            mixed = Mixed(labels_B.index_select(0, shown.partner_B), shown.share_B)
        whole = Whole(labels_B, index_B) if world.size > 1 else None
        view_B = shown.view_B if view is None else torch.full_like(index_B[part], view)
        yield Batch(shown.images_BCHW, labels_B[part], index_B[part], view_B, mixed, whole)
