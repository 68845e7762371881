"""A data set in memory: uint8 images and labels as whole tensors, split into train, validation and test.

Shapes: N images, C channels, H and W pixels.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kd_engine.catalog import UPLOADED, DatasetRow, Facts
from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION
from kd_engine.data.duplicates import count, groups_of
from kd_engine.data.splits import VALIDATION_SEED, held_out, strata
from kd_engine.images.normalisation import measure
from kd_engine.jobspec import DatasetSpec
from kd_engine.platform.verified_files import hash_in_parts
from kd_engine.schema.errors import DataError, InvalidSpecError
from kd_engine.schema.importing import load_object
from kd_engine.schema.report import Duplicates
from kd_engine.schema.spec_error import as_invalid_spec
from kd_engine.schema.warnings import SpecWarning

_MANY_SEEN = 0.01  # of the test images: more that were trained on move a result

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RawData:
    """What a reader returns, in the publisher's order.

    Attributes:
        train_images, test_images: uint8 `[N, C, H, W]`.
        train_labels, test_labels: int64 `[N]`, 0 to classes - 1; where an image may have several classes, uint8
            `[N, K]` of 0 and 1.
        classes: their names, where the catalogue does not have them.
        validation_images, validation_labels: likewise, where the data set has a validation split of its own.
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    classes: tuple[str, ...] | None = None
    validation_images: Tensor | None = None
    validation_labels: Tensor | None = None

    def parts(self) -> Iterator[tuple[str, Tensor, Tensor]]:
        """Name, images and labels of each split that there is."""
        yield "train", self.train_images, self.train_labels
        if self.validation_images is not None and self.validation_labels is not None:
            yield "validation", self.validation_images, self.validation_labels
        yield "test", self.test_images, self.test_labels


@dataclass(frozen=True)
class Split:
    """Images (uint8) and their labels, as in `RawData`, on one device."""

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
        train, validation: the publisher's train images; validation is held out, stratified and the same for all seeds,
            or the publisher's own.
        test: the publisher's test images, looked at once.
        classes: their names, by label.
        shape: channels, height and width of an image.
        sha256: of all images and labels as read, in hex; the same for every layout of the same data.
        facts: all that a spec is checked against and resolved with; None for data that no spec asked for.
        warnings: what reading it has shown that its user should look at.
        duplicates: how many images have the pixels of another one.
        task: a row of the catalogue: what the labels mean.
        split_sha256: names images, labels and which of them are held out, for what was made of them.
    """

    train: Split
    validation: Split
    test: Split
    classes: tuple[str, ...]
    shape: tuple[int, int, int]
    sha256: str
    facts: Facts | None = None
    warnings: tuple[SpecWarning, ...] = ()
    duplicates: Duplicates = field(default_factory=Duplicates)
    divided: str = ""
    task: str = IMAGE_CLASSIFICATION

    @property
    def split_sha256(self) -> str:
        return self.sha256 + self.divided

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
    groups = _groups(raw)
    train, validation, divided = _divided(spec, raw, facts, groups["train"])
    if facts.mean is None and (spec.mean is None or spec.std is None):
        logger.info("measuring the mean and the standard deviation of %d images", len(train))
        mean, std = measure(train.images_NCHW)
        facts = replace(facts, mean=mean, std=std)
    assert facts.classes is not None, "a reader names the classes"
    assert facts.shape is not None, "the images have a shape"
    duplicates = count(groups)
    return Dataset(
        train=train,
        validation=validation,
        test=Split(raw.test_images, raw.test_labels),
        classes=facts.classes,
        shape=facts.shape,
        sha256=content_sha256(raw),
        facts=facts,
        warnings=_warnings(duplicates, len(raw.test_labels), facts.task_row.main.label),
        duplicates=duplicates,
        divided=divided,
        task=facts.task,
    )


def _warnings(duplicates: Duplicates, tested: int, score: str) -> tuple[SpecWarning, ...]:
    if duplicates.test_in_train < _MANY_SEEN * tested or not duplicates.test_in_train:
        return ()
    message = (
        f"{duplicates.test_in_train:,} of {tested:,} test images are in train or validation too, pixel for pixel: the "
        f"test {score} is too high by what was learnt by heart. Leave them out of one of the two."
    )
    return (SpecWarning(code="test_in_train", pointer="/dataset", message=message),)


def _groups(raw: RawData) -> dict[str, NDArray[np.int64]]:
    """By split, the group of equal images that each one belongs to."""
    parts = list(raw.parts())
    groups_N = groups_of([images for _, images, _ in parts])
    ends = np.cumsum([len(labels) for _, _, labels in parts])
    return dict(zip((name for name, _, _ in parts), np.split(groups_N, ends[:-1]), strict=True))


def _divided(spec: DatasetSpec, raw: RawData, facts: Facts, twins_N: NDArray[np.int64]) -> tuple[Split, Split, str]:
    """Train and validation, and what names how they were divided; empty for a division as it always was."""
    train = Split(raw.train_images, raw.train_labels)
    if raw.validation_images is not None and raw.validation_labels is not None:
        logger.info("validation is the %d images that the data set brings for it", len(raw.validation_labels))
        return train, Split(raw.validation_images, raw.validation_labels), ""
    held = spec.held_out(facts.train)
    assert held is not None, "the number of images is known by now"
    labels_N = strata(raw.train_labels.numpy())
    drawn = mask = held_out(labels_N, held, VALIDATION_SEED)
    if spec.row.params is not None:  # the splits of published data sets stay what they were (docs/decisions/008)
        mask = held_out(labels_N, held, VALIDATION_SEED, twins_N)
    if not mask.any():
        raise DataError(
            "no image can be held out of train for validation: each class has a single one, or copies of one. Add "
            "images, or a validation split."
        )
    name = "" if np.array_equal(mask, drawn) else f" but {hashlib.sha256(mask.tobytes()).hexdigest()}"
    chosen = torch.from_numpy(mask)
    return (
        Split(raw.train_images[~chosen], raw.train_labels[~chosen]),
        Split(raw.train_images[chosen], raw.train_labels[chosen]),
        name,
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
        validation=None if raw.validation_labels is None else len(raw.validation_labels),
    )


def content_sha256(raw: RawData) -> str:
    """sha256, in hex, of images and labels with their shapes: what a trained teacher's cache key is made of."""
    digest = hashlib.sha256()
    for name, images, labels in raw.parts():
        if name == "validation":  # others keep the hash that they always had
            digest.update(name.encode())
        for tensor in (images, labels):
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
    counts = {"train": known.train, "validation": known.validation, "test": test}
    for part, images, labels in raw.parts():
        expected_count = len(labels) if counts[part] is None else counts[part]
        expected = (expected_count, *shape)
        if tuple(images.shape) != expected or images.dtype != torch.uint8:
            raise DataError(
                f"{known.name}: the {part} images are {images.dtype} of shape {tuple(images.shape)}; expected "
                f"{torch.uint8} of shape {expected}. Get the publisher's files again."
            )
        several = known.task_row.several
        asked = (expected_count, classes) if several else (expected_count,)
        most = 1 if several else classes - 1
        if tuple(labels.shape) != asked or not 0 <= int(labels.min()) <= int(labels.max()) <= most:
            raise DataError(
                f"{known.name}: the {part} labels, of shape {tuple(labels.shape)}, run from {int(labels.min())} to "
                f"{int(labels.max())}; expected {' x '.join(map(str, asked))} of them from 0 to {most}."
            )
