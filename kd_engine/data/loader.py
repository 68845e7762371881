"""Batches of a split, drawn from one generator. Shapes: N images in the split, B in the batch, C, H, W of an image."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from kd_engine.augmentations import Augmentation
from kd_engine.data.dataset import Split


class Batch(NamedTuple):
    """Some images of a split, on the split's device.

    Attributes:
        images_BCHW: uint8, augmented.
        labels_B: int64.
        index_B: int64, each image's place in the split.
    """

    images_BCHW: Tensor
    labels_B: Tensor
    index_B: Tensor


def batches(
    split: Split,
    batch_size: int,
    generator: torch.Generator,
    augmentations: Sequence[Augmentation],
    *,
    drop_last: bool = False,
) -> Iterator[Batch]:
    """One epoch: each image once, in an order and with augmentations drawn from `generator` (a CPU generator).

    A generator in the same state gives the same epoch, on every device. `drop_last` leaves out a last batch that is
    smaller than `batch_size`.
    """
    order_N = torch.randperm(len(split), generator=generator).to(split.labels_N.device)
    end = len(split) - len(split) % batch_size if drop_last else len(split)
    for start in range(0, end, batch_size):
        index_B = order_N[start : min(start + batch_size, end)]
        images_BCHW = split.images_NCHW.index_select(0, index_B)
        for augmentation in augmentations:
            images_BCHW = augmentation(images_BCHW, generator)
        yield Batch(images_BCHW, split.labels_N.index_select(0, index_B), index_B)
