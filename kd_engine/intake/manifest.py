"""What a check found out about a data set; the numbers that a job and a person need of it."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray

from kd_engine.images.normalisation import mean_and_std
from kd_engine.schema.manifest import (
    SPLITS,
    BrokenPicture,
    BrokenPictures,
    Contents,
    Copies,
    Copy,
    CopyGroups,
    SplitCount,
    SplitName,
    Spread,
)

MOST_LISTED = 100  # of each kind of problem; their number is always given
_NAMED = 5  # classes in a note
_FEW_TESTED = 100  # images
_SIDES = (32, 64, 96, 128, 160, 192, 224)  # pixels that networks are usually made for


@dataclass(frozen=True, slots=True)
class Image:
    """A picture as it counts.

    Attributes:
        labels: its class; or its classes, where it may have several.
        name: what its sender calls it.
        key: of pictures that look alike it is the same; `tell_apart` makes it that of equal pixels alone.
    """

    split: str
    labels: tuple[int, ...]
    name: str
    key: str


@dataclass
class Findings:
    """Gathered picture by picture."""

    classes: tuple[str, ...]
    images: list[Image] = field(default_factory=list)
    heights: list[int] = field(default_factory=list)
    widths: list[int] = field(default_factory=list)
    broken: list[BrokenPicture] = field(default_factory=list)  # the first of them
    broken_count: int = 0
    notes: list[str] = field(default_factory=list)
    left_out: Mapping[str, int] = field(default_factory=dict)
    counts: NDArray[np.int64] | None = None  # of train's pixels

    def count(self, pixels: NDArray[np.int64]) -> None:
        """Adds a train picture's pixels, `[C, 256]`."""
        self.counts = pixels.copy() if self.counts is None else self.counts + pixels

    def found_broken(self, name: str, why: str) -> None:
        """One more picture that cannot be used."""
        self.broken_count += 1
        if len(self.broken) < MOST_LISTED:
            self.broken.append(BrokenPicture(file=name, why=why))

    def alike(self) -> list[int]:
        """Which of the images share their key with another."""
        shared = {key for key, times in Counter(image.key for image in self.images).items() if times > 1}
        return [number for number, image in enumerate(self.images) if image.key in shared]

    def contents(self) -> Contents:
        """All of it, as the manifest has it."""
        assert self.counts is not None, "train has pictures"
        mean, std = mean_and_std(torch.from_numpy(self.counts))
        splits = {split: self._split(split) for split in SPLITS}
        if not splits["validation"].images:  # then each job holds images out of train
            del splits["validation"]
        height, width = _spread(self.heights), _spread(self.widths)
        side = default_side(height, width)
        return Contents(
            classes=self.classes,
            splits=splits,
            channels=len(mean),
            sizes={"height": height, "width": width},
            default_size=(side, side),
            mean=mean,
            std=std,
            duplicates=duplicates(self.images, self.classes),
            broken=BrokenPictures(count=self.broken_count, listed=tuple(self.broken)),
            left_out=dict(self.left_out),
            notes=(*self.notes, *split_notes(self.classes, splits)),
        )

    def _split(self, split: SplitName) -> SplitCount:
        by_class, images = [0] * len(self.classes), 0
        for image in self.images:
            if image.split == split:
                images += 1
                for label in image.labels:
                    by_class[label] += 1
        return SplitCount(images=images, by_class=tuple(by_class))


def split_notes(classes: Sequence[str], splits: Mapping[SplitName, SplitCount]) -> list[str]:
    """What the numbers of images do not allow to say."""
    notes = []
    images = splits["test"].images
    if images < _FEW_TESTED:
        points = 100 * 1.96 * 0.5 / math.sqrt(images)  # at an accuracy of a half, where it is widest
        notes.append(
            f"test has {images:,} images: an accuracy on so few is known to {min(points, 50):.0f} points either way, "
            "too little for most comparisons"
        )
    for split in [name for name in SPLITS if name in splits and name != "train"]:
        absent = _named(classes, splits[split].by_class, 0)
        if absent:
            notes.append(f"{split} has no images of {absent}: what is measured there says nothing of these classes")
    if absent := _named(classes, splits["train"].by_class, 0):
        notes.append(f"train has no images of {absent}: nothing can be learnt of these classes")
    single = _named(classes, splits["train"].by_class, 1)
    if single:
        notes.append(f"train has a single image of {single}: it stays in train, and little can be learnt of it")
    return notes


def _named(classes: Sequence[str], by_class: Sequence[int], images: int) -> str:
    found = [name for name, count in zip(classes, by_class, strict=True) if count == images]
    return ", ".join(found[:_NAMED]) + (f" and {len(found) - _NAMED:,} more" if len(found) > _NAMED else "")


def default_side(height: Spread, width: Spread) -> int:
    """The side that pictures are resized to where a job names none: usual, and no larger than they mostly are."""
    shorter = min(height.median, width.median)
    return max((side for side in _SIDES if side <= shorter), default=max(1, int(shorter)))


def duplicates(images: Iterable[Image], classes: Sequence[str]) -> Copies:
    """Pictures with the same pixels: in train and test (which makes a test too easy), and under two classes."""
    same: dict[str, list[Image]] = defaultdict(list)
    for image in images:
        same[image.key].append(image)
    groups = [group for group in same.values() if len(group) > 1]
    across = [group for group in groups if len({image.split for image in group}) > 1]
    differing = [group for group in groups if len({image.labels for image in group}) > 1]
    return Copies(
        pictures=sum(len(group) - 1 for group in groups),
        across_splits=_listed(across, classes),
        under_two_classes=_listed(differing, classes),
    )


def _listed(groups: Sequence[Sequence[Image]], classes: Sequence[str]) -> CopyGroups:
    shown = tuple(
        tuple(
            Copy(split=image.split, class_name=", ".join(classes[label] for label in image.labels), file=image.name)
            for image in group
        )
        for group in groups[:MOST_LISTED]
    )
    return CopyGroups(count=len(groups), listed=shown)


def _spread(values: Sequence[int]) -> Spread:
    return Spread(smallest=min(values), median=median(values), largest=max(values))
