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
from kd_engine.catalog import UPLOADED, DatasetRow, Facts
from kd_engine.data.files import hash_in_parts
from kd_engine.data.normalisation import measure
from kd_engine.data.splits import VALIDATION_SEED, held_out
from kd_engine.errors import DataError, InvalidSpecError
from kd_engine.spec import DatasetSpec, SpecWarning
from kd_engine.spec.wrong import as_invalid_spec

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RawData:
    """What a reader returns, in the publisher's order.

    Attributes:
        train_images, test_images: uint8 `[N, C, H, W]`.
        train_labels, test_labels: int64 `[N]`, 0 to classes - 1.
        classes: their names, where the catalogue does not have them.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...] | None = None


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
        facts: all that a spec is checked against and resolved with; None for data that no spec asked for.
        warnings: what reading it has shown that its user should look at.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    sha256: str
    facts: Facts | None = None
    warnings: tuple[SpecWarning, ...] = ()

    def to(self, device: torch.device | str) -> Dataset:
        """The same data set on another device."""
        splits = {name: getattr(self, name).to(device) for name in ("train", "validation", "test")}
        return replace(self, **splits)


def load(
    spec: DatasetSpec,
    data_dir: Path,
    download: bool,
    cache_dir: Path | None = None,
    dataset_file: Path | None = None,
) -> Dataset:
    """Reads a data set and splits it.

    Args:
        spec: resolved.
        data_dir: the folder under which the files lie (`MNIST/raw`, `cifar-10-batches-bin`, ...).
        download: whether missing files may be fetched from the publisher's mirrors.
        cache_dir: where decoded pictures are kept for the next run; without it they are decoded each time.
        dataset_file: the checked file of a data set that was sent.

    Raises:
        DataError: the files are missing, cannot be fetched, or are not what was expected.
        InvalidSpecError: the spec does not fit what they hold.
    """
    raw = read_raw(spec, data_dir, download, cache_dir, dataset_file)
    facts = _facts(spec, raw)
    with as_invalid_spec():
        spec.check_fits(facts)
    held = spec.held_out(facts.train)
    assert held is not None, "the number of images is known by now"
    mask = torch.from_numpy(held_out(raw.train_labels.numpy(), held, VALIDATION_SEED))
    train = Split(raw.train_images[~mask], raw.train_labels[~mask])
    if facts.mean is None and (spec.mean is None or spec.std is None):
        logger.info("measuring the mean and the standard deviation of %d images", len(train))
        mean, std = measure(train.images_NCHW)
        facts = replace(facts, mean=mean, std=std)
    assert facts.classes is not None, "a reader names the classes"
    assert facts.shape is not None, "the images have a shape"
    return Dataset(
        train=train,
        validation=Split(raw.train_images[mask], raw.train_labels[mask]),
        test=Split(raw.test_images, raw.test_labels),
        classes=facts.classes,
        shape=facts.shape,
        sha256=content_sha256(raw),
        facts=facts,
    )


def read_raw(
    spec: DatasetSpec, data_dir: Path, download: bool, cache_dir: Path | None, dataset_file: Path | None
) -> RawData:
    """The images and labels in their publisher's order, not split further; raises as `load`."""
    row = spec.row
    absence = spec.absence(data_dir)
    if absence is not None:
        _fetch(row, data_dir, download, absence)
    reader = load_object(row.reader)
    if row.name == UPLOADED:
        if dataset_file is None:
            raise InvalidSpecError("a data set that was sent is one of the service's; give its folder or file instead.")
        raw = cast(RawData, reader(dataset_file, spec.typed_params, cache_dir))
    elif row.params is None:
        raw = cast(RawData, reader(data_dir, row.find(data_dir)))
    else:
        raw = cast(RawData, reader(data_dir, spec.typed_params, cache_dir))
    _check(spec.facts, row.test, raw)
    return raw


def _facts(spec: DatasetSpec, raw: RawData) -> Facts:
    """What was known before, and what reading has told."""
    channels, height, width = raw.train_images.shape[1:]
    return replace(
        spec.facts,
        classes=raw.classes or spec.facts.classes,
        shape=(channels, height, width),
        train=len(raw.train_labels),
    )


def content_sha256(raw: RawData) -> str:
    """sha256, in hex, of images and labels with their shapes: what a trained teacher's cache key is made of."""
    digest = hashlib.sha256()
    for tensor in (raw.train_images, raw.train_labels, raw.test_images, raw.test_labels):
        digest.update(f"{tensor.dtype}{tuple(tensor.shape)}".encode())
        hash_in_parts(digest, tensor.contiguous().numpy().reshape(-1).data)
    if raw.classes is not None:
        digest.update("\0".join(raw.classes).encode())
    return digest.hexdigest()


def _fetch(row: DatasetRow, data_dir: Path, download: bool, absence: str) -> None:
    if not (download and row.download):
        raise DataError(absence)
    logger.info("downloading the data set %s", row.name)
    try:
        load_object(row.download)(data_dir)
    except DataError as error:
        raise DataError(f"{absence} Downloading it failed: {error}") from error


def _check(known: Facts, test: int | None, raw: RawData) -> None:
    """The last line of defence: whatever a reader checked, a run starts from the catalogue's shapes and labels."""
    classes = len(raw.classes or known.classes or ())
    shape = known.shape or tuple(raw.train_images.shape[1:])
    for part, images, labels, count in (
        ("train", raw.train_images, raw.train_labels, known.train),
        ("test", raw.test_images, raw.test_labels, test),
    ):
        count = len(labels) if count is None else count
        expected = (count, *shape)
        if tuple(images.shape) != expected or images.dtype != torch.uint8:
            raise DataError(
                f"{known.name}: the {part} images are {images.dtype} of shape {tuple(images.shape)}; expected "
                f"{torch.uint8} of shape {expected}. Get the publisher's files again."
            )
        if tuple(labels.shape) != (count,) or not 0 <= int(labels.min()) <= int(labels.max()) < classes:
            raise DataError(
                f"{known.name}: the {part} labels, of shape {tuple(labels.shape)}, run from {int(labels.min())} to "
                f"{int(labels.max())}; expected {count} of them from 0 to {classes - 1}."
            )
