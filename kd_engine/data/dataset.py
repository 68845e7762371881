"""A data set in memory: uint8 images and labels as whole tensors, split into train, validation and test.

Shapes: N images, C channels, H and W pixels.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import torch
from torch import Tensor

from kd_engine.build import load_object
from kd_engine.catalog import DatasetRow
from kd_engine.data.splits import VALIDATION_SEED, held_out
from kd_engine.errors import DataError
from kd_engine.spec import DatasetSpec

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RawData:
    """What a reader returns, in the publisher's order.

    Attributes:
        train_images, test_images: uint8 `[N, C, H, W]`.
        train_labels, test_labels: int64 `[N]`, 0 to classes - 1.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor


@dataclass(frozen=True)
class Split:
    """Images (uint8) and their labels (int64), on one device."""

    images_NCHW: Tensor
    labels_N: Tensor

    def __len__(self) -> int:
        return len(self.labels_N)

    def to(self, device: torch.device | str) -> Split:
        return Split(self.images_NCHW.to(device), self.labels_N.to(device))


@dataclass(frozen=True)
class Dataset:
    """What a run trains, selects and is tested on.

    Attributes:
        train, validation: the publisher's train images; validation is held out, stratified and the same for all seeds.
        test: the publisher's test images, looked at once.
        classes: their names, by label.
        shape: channels, height and width of an image.
        sha256: of all images and labels as read, in hex; the same for every layout of the same data.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    sha256: str

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set on another device."""
        splits = {name: getattr(self, name).to(device) for name in ("train", "validation", "test")}
        return replace(self, **splits)


def load(spec: DatasetSpec, data_dir: Path, download: bool) -> Dataset:
    """Reads a data set and splits it.

    Args:
        spec: resolved.
        data_dir: the folder under which the publisher's files lie (`MNIST/raw`, `cifar-10-batches-bin`, ...).
        download: whether missing files may be fetched from the publisher's mirrors.

    Raises:
        DataError: the files are missing, cannot be fetched, or are not what their publisher wrote.
    """
    row = spec.row
    if not row.present(data_dir):
        _fetch(row, data_dir, download)
    raw = cast(RawData, load_object(row.reader)(data_dir, row.find(data_dir)))
    _check(row, raw)
    mask = torch.from_numpy(held_out(raw.train_labels.numpy(), spec.validation_images, VALIDATION_SEED))
    return Dataset(
        train=Split(raw.train_images[~mask], raw.train_labels[~mask]),
        validation=Split(raw.train_images[mask], raw.train_labels[mask]),
        test=Split(raw.test_images, raw.test_labels),
        classes=row.classes,
        shape=row.shape,
        sha256=content_sha256(raw),
    )


def content_sha256(raw: RawData) -> str:
    """sha256, in hex, of images and labels with their shapes: what a trained teacher's cache key is made of."""
    digest = hashlib.sha256()
    for tensor in (raw.train_images, raw.train_labels, raw.test_images, raw.test_labels):
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().numpy().reshape(-1).data)
    return digest.hexdigest()


def _fetch(row: DatasetRow, data_dir: Path, download: bool) -> None:
    if not (download and row.download):
        raise DataError(row.absence(data_dir))
    logger.info("downloading the data set %s", row.name)
    try:
        load_object(row.download)(data_dir)
    except DataError as error:
        raise DataError(f"{row.absence(data_dir)} Downloading it failed: {error}") from error


def _check(row: DatasetRow, raw: RawData) -> None:
    """The last line of defence: whatever a reader checked, a run starts from the catalogue's shapes and labels."""
    for part, images, labels, count in (
        ("train", raw.train_images, raw.train_labels, row.train),
        ("test", raw.test_images, raw.test_labels, row.test),
    ):
        expected = (count, *row.shape)
        if tuple(images.shape) != expected or images.dtype != torch.uint8:
            raise DataError(
                f"{row.name}: the {part} images are {images.dtype} of shape {tuple(images.shape)}; expected "
                f"{torch.uint8} of shape {expected}. Get the publisher's files again."
            )
        if tuple(labels.shape) != (count,) or not 0 <= int(labels.min()) <= int(labels.max()) < row.num_classes:
            raise DataError(
                f"{row.name}: the {part} labels, of shape {tuple(labels.shape)}, run from {int(labels.min())} to "
                f"{int(labels.max())}; expected {count} of them from 0 to {row.num_classes - 1}."
            )
