"""Pictures that were sent: every one decoded, counted and compared, and written anew as the data set that jobs read."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from kd_engine.catalog import PREPARED
from kd_engine.catalog.datasets import LABEL_SETS
from kd_engine.images.decode import SUFFIXES
from kd_engine.intake.archive import Member
from kd_engine.intake.contact_sheet import draw_sheet, is_shown
from kd_engine.intake.folder_layout import Layout, Placed, draw_test
from kd_engine.intake.inspect_image import Broken, Survey, in_threads, pixel_sha256, survey
from kd_engine.intake.manifest import Findings, Image
from kd_engine.intake.tar_file import Tar
from kd_engine.platform.files import atomic_file
from kd_engine.schema.errors import DataError
from kd_engine.schema.manifest import Contents

SHEET = "thumbnails.png"
MOST_TARGETS = 2**31  # pictures times classes, where each may have several: a byte each in memory
SAMPLES = "samples.csv"
WhatOfBroken = Literal["refuse", "skip"]


class Source(Protocol):
    """What pictures come in."""

    def contents(self, wanted: Iterable[Member]) -> Iterator[tuple[Member, bytes]]:
        """The wanted members and their bytes, in the source's order."""


def check_pictures(
    source: Source,
    layout: Layout,
    out_dir: Path,
    *,
    broken: WhatOfBroken,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Contents:
    """Checks the pictures of an archive or a table and writes `dataset.tar`, `samples.csv` and `thumbnails.png`.

    Args:
        layout: where they go, in the source's order.
        broken: what becomes of pictures that cannot be decoded: the whole is refused, or they are left out.
        progress: hears how many of how many pictures are done; what it raises ends the check.

    Returns:
        What the manifest says of them.

    Raises:
        DataError: there are broken pictures that are not to be left out, or nothing is left.
        DiskFullError: no room.
    """
    if layout.several and len(layout.placed) * len(layout.classes) > MOST_TARGETS:
        raise DataError(
            f"{len(layout.placed):,} pictures of {len(layout.classes):,} classes each are more than is taken: at most "
            f"{MOST_TARGETS:,} of both together."
        )
    checking = _Checking(layout)
    with (
        atomic_file(out_dir / PREPARED["image_folder"]) as file,
        # written from the beginning to the end: a zip goes back in the file for each picture
        tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as prepared,
    ):
        for done, (placed, content, found) in enumerate(checking.surveyed(source), start=1):
            checking.take(placed, content, found, prepared)
            progress(done, len(layout.placed))
        checking.write_sets(prepared)
        checking.verify(broken)
    checking.tell_apart(out_dir / PREPARED["image_folder"])
    if layout.test_share is not None:
        checking.keep_twins_together(out_dir / PREPARED["image_folder"], layout.test_share)
    checking.write_samples(out_dir / SAMPLES)
    draw_sheet(layout.classes, checking.thumbnails, out_dir / SHEET)
    return checking.findings.contents()


class _Checking:
    """One archive, picture by picture."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.findings = Findings(layout.classes, notes=list(layout.notes), left_out=layout.left_out)
        self.thumbnails: dict[int, list[NDArray[np.uint8]]] = defaultdict(list)
        self._places: list[str] = []  # of the findings' images, in the file that is written
        self._kept: dict[tuple[str, int], list[str]] = defaultdict(list)  # by split and folder, the archive's names
        self._sets: dict[tuple[int, ...], int] = {}  # where a picture may have several classes: a folder for each set

    def surveyed(self, source: Source) -> Iterator[tuple[Placed, bytes, Survey | Broken]]:
        """Every picture in the source's order, with its bytes and what it holds."""
        by_member = {placed.member: placed for placed in self._layout.placed}
        asked: dict[int, int] = defaultdict(int)

        def jobs() -> Iterator[tuple[Placed, bytes, bool]]:
            for member, content in source.contents(by_member):
                placed = by_member[member]
                shown = [label for label in placed.labels if is_shown(label, asked[label])]
                wanted = placed.split == "train" and bool(shown)
                for label in shown if wanted else ():
                    asked[label] += 1
                yield placed, content, wanted

        for (placed, content, _), found in in_threads(lambda job: survey(job[1], job[2]), jobs(), _size):
            yield placed, content, found

    def take(self, placed: Placed, content: bytes, found: Survey | Broken, prepared: tarfile.TarFile) -> None:
        """Notes what a picture holds and writes it to its place."""
        name, findings = placed.member.name, self.findings
        if isinstance(found, Broken):
            findings.found_broken(name, found.why)
            return
        findings.images.append(Image(placed.split, placed.labels, name, found.key))
        findings.heights.append(found.height)
        findings.widths.append(found.width)
        if placed.split == "train":
            findings.count(found.counts)
        if found.thumbnail is not None:
            for label in placed.labels:
                self.thumbnails[label].append(found.thumbnail)
        self._add(prepared, placed, content)

    def _add(self, prepared: tarfile.TarFile, placed: Placed, content: bytes) -> None:
        self._places.append(self._place(placed))
        entry = tarfile.TarInfo(self._places[-1])
        entry.size = len(content)
        prepared.addfile(entry, io.BytesIO(content))
        prepared.getmembers().clear()  # it keeps all that it has written

    def verify(self, broken: WhatOfBroken) -> None:
        """Raises DataError where what was found is no data set."""
        found = self.findings.broken
        if found and broken == "refuse":
            listed = "; ".join(f"{entry.file} ({entry.why})" for entry in found)
            raise DataError(
                f"{self.findings.broken_count:,} of {len(self._layout.placed):,} pictures cannot be used: {listed}. "
                "Replace them, or send it again with broken=skip to leave them out."
            )
        used = Counter((image.split, label) for image in self.findings.images for label in image.labels)
        sent = Counter((placed.split, label) for placed in self._layout.placed for label in placed.labels)
        lost = [name for label, name in enumerate(self._layout.classes)
                if 0 < 2 * used["train", label] < sent["train", label]]  # fmt: skip
        missing = [name for label, name in enumerate(self._layout.classes)
                   if ("train", label) not in used and (sent["train", label] or not self._layout.several)]  # fmt: skip
        if missing:
            raise DataError(f"no picture to train on can be used in: {', '.join(missing[:5])}.")
        if lost:
            raise DataError(f"more than half of the pictures to train on cannot be used in: {', '.join(lost[:5])}.")
        if not any(image.split == "test" for image in self.findings.images):
            raise DataError("no picture to test on can be used.")

    def tell_apart(self, prepared: Path) -> None:
        """Looks at all pixels of the pictures that are alike: they may be equal, or show a thing in another place."""
        images = self.findings.images
        alike = {self._places[number]: number for number in self.findings.alike()}
        with Tar(prepared, lambda count: None) as archive:
            contents = ((alike[entry.name], archive.read(entry)) for entry in archive if entry.name in alike)
            for (number, _), key in in_threads(lambda picture: pixel_sha256(picture[1]), contents, _size):
                images[number] = replace(images[number], key=key)

    def keep_twins_together(self, prepared: Path, share: float) -> None:
        """Draws the test split anew where equal pictures lie on both sides of it, and writes the file in its order."""
        images, numbers = self.findings.images, dict[str, int]()
        twins = {image.name: numbers.setdefault(image.key, len(numbers)) for image in images}
        sides: dict[str, set[str]] = defaultdict(set)
        for image in images:
            sides[image.key].add(image.split)
        if all(len(side) == 1 for side in sides.values()):
            return
        tested = draw_test([image.name for image in images], [image.labels for image in images], share, twins)
        self._places.clear()
        self._kept.clear()
        with (
            Tar(prepared, lambda count: None) as old,
            atomic_file(prepared) as file,
            tarfile.open(fileobj=file, mode="w", format=tarfile.GNU_FORMAT) as new,
        ):
            for number, (image, test, entry) in enumerate(zip(list(images), tested, _pictures(old), strict=True)):
                content = old.read(entry)
                split = "test" if test else "train"
                images[number] = replace(image, split=split)
                if split != image.split:
                    self._recount(content, split)
                self._add(new, Placed(Member(image.name, 0), split, image.labels), content)
            self.write_sets(new)
        moved = sum(side == {"train", "test"} for side in sides.values())
        self.findings.notes.append(f"{moved:,} groups of equal pictures were put on one side of the split")

    def _recount(self, content: bytes, split: str) -> None:
        found = survey(content, thumbnail=False)
        assert isinstance(found, Survey), "it was decoded before"
        self.findings.count(found.counts if split == "train" else -found.counts)

    def write_samples(self, path: Path) -> None:
        """Which picture is which sample: those of a split are counted from 0, class by class."""
        with atomic_file(path) as file:
            lines = csv.writer(text := io.TextIOWrapper(file, "utf-8", newline=""))
            lines.writerow(["split", "sample", "class", "file"])
            for split in ("train", "validation", "test"):
                names = [
                    (self._called(folder), file_name)
                    for folder in sorted({folder for own, folder in self._kept if own == split})
                    for file_name in self._kept[split, folder]
                ]
                lines.writerows([split, number, *row] for number, row in enumerate(names))
            text.detach()

    def _called(self, folder: int) -> str:
        if not self._layout.several:
            return self._layout.classes[folder]
        return "|".join(self._layout.classes[label] for label in list(self._sets)[folder])

    def write_sets(self, prepared: tarfile.TarFile) -> None:
        """Which classes the pictures of each folder have, where these may be several."""
        if self._layout.several:
            content = json.dumps(list(self._sets)).encode()
            entry = tarfile.TarInfo(LABEL_SETS)
            entry.size = len(content)
            prepared.addfile(entry, io.BytesIO(content))

    def _place(self, placed: Placed) -> str:
        """A name of our own: the archive's may not be one that every file system takes. Its order is kept."""
        several = self._layout.several
        folder = self._sets.setdefault(placed.labels, len(self._sets)) if several else placed.labels[0]
        kept = self._kept[placed.split, folder]
        kept.append(placed.member.name)
        suffix = next((end for end in SUFFIXES if placed.member.name.lower().endswith(end)), ".png")
        return f"{placed.split}/{folder:06}/{len(kept):08}{suffix}"


def _pictures(archive: Tar) -> Iterator[Any]:
    return (entry for entry in archive if entry.name != LABEL_SETS)


def _size(job: Sequence[Any]) -> int:
    return len(job[1])
