"""Numpy arrays from outside: an .npz file, checked and written anew as the data set that jobs read.

Shapes: N images, C channels (1 or 3), H and W pixels, 3 channels of a thumbnail.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Pillow
from PIL import ImageOps
from pydantic import ValidationError

from kd_engine.catalog import PREPARED
from kd_engine.catalog.dataset_params import ArraysParams
from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION, TASKS
from kd_engine.data.dataset import RawData
from kd_engine.data.duplicates import groups_of
from kd_engine.data.readers.arrays import MOST_BYTES, NAMES, OF_VALIDATION, check_images, indicators, plain_labels, read
from kd_engine.data.readers.npz import read_npz
from kd_engine.data.splits import held_out, strata
from kd_engine.images.normalisation import pixel_counts
from kd_engine.intake.archive import MOST_RATIO, most_entries
from kd_engine.intake.contact_sheet import draw_sheet, is_shown
from kd_engine.intake.folder_layout import MOST_CLASSES, TEST_SEED
from kd_engine.intake.inspect_image import THUMBNAIL
from kd_engine.intake.manifest import Findings, Image
from kd_engine.platform.files import atomic_file
from kd_engine.platform.heartbeat import one_call
from kd_engine.schema.errors import DataError, sentence
from kd_engine.schema.manifest import Contents

SHEET = "thumbnails.png"
CLASSES = "classes"
HARMLESS_BYTES = 64 * 2**20  # that a file of any size may unpack to: all of it is in memory, several times
_KERAS = dict(zip(NAMES, ("x_train", "y_train", "x_test", "y_test"), strict=True))
_VALIDATION = (("val_images", "val_labels"), ("x_val", "y_val"), ("x_valid", "y_valid"))  # as others call them
_WHOLE = {"images": "x", "labels": "y"}
_Array = NDArray[Any]


def check_arrays(
    path: Path,
    out_dir: Path,
    *,
    test_share: float,
    task: str = IMAGE_CLASSIFICATION,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Contents:
    """Checks an .npz file and writes `dataset.npz` and `thumbnails.png`.

    It holds `train_images`, `train_labels`, `test_images` and `test_labels` (or x_train, y_train, x_test, y_test), or
    `images` and `labels` to be split here; and perhaps `validation_images` and `validation_labels` (or val_...), and
    `classes`, their names by label.

    Args:
        test_share: of each class, where the file has no splits.
        task: what the labels mean.
        progress: hears how many of how many images are done; what it raises ends the check.

    Returns:
        What the manifest says of them.

    Raises:
        DataError: something is missing, is no array of numbers, or is not of the expected type and shape.
        DiskFullError: no room.
    """
    packed = path.stat().st_size
    return check_named(load_arrays(path), out_dir, packed=packed, test_share=test_share, task=task, progress=progress)


def check_named(
    given: Mapping[str, _Array],
    out_dir: Path,
    *,
    packed: int,
    test_share: float,
    task: str = IMAGE_CLASSIFICATION,
    notes: Sequence[str] = (),
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> Contents:
    """As `check_arrays`, of arrays that were read from a file of so many bytes."""
    _check_counts(given, packed)
    arrays, said = _named(given, test_share, TASKS[task].several)
    del given
    params = _params(arrays.pop(CLASSES, None), task)
    size = sum(array.nbytes for array in arrays.values())
    with atomic_file(out_dir / PREPARED["arrays"]) as file, one_call("writing the arrays", size=size):
        np.savez(file, allow_pickle=False, **arrays)
    del arrays  # they are read anew
    raw = read(out_dir, params, None)
    assert raw.classes is not None, "a reader names the classes"
    if not TASKS[task].several:
        _check_labels(raw)
    findings = Findings(raw.classes, notes=[*notes, *said])
    thumbnails = _survey(raw, findings, progress)
    draw_sheet(raw.classes, thumbnails, out_dir / SHEET)
    return findings.contents()


def _params(classes: _Array | None, task: str) -> ArraysParams:
    """How the reader finds what was written; raises DataError where the names of classes are none."""
    if classes is not None and classes.size > MOST_CLASSES:
        raise DataError(f"'{CLASSES}' names {classes.size:,} classes; at most {MOST_CLASSES:,} are taken.")
    names = None if classes is None else tuple(map(str, classes.reshape(-1).tolist()))
    try:
        return ArraysParams(path=PREPARED["arrays"], classes=names, task=task)
    except ValidationError as error:
        raise DataError(f"'{CLASSES}' does not name the classes: {error.errors()[0]['msg']}") from error


def load_arrays(path: Path) -> dict[str, _Array]:
    """All arrays. Nothing is unpickled, and no more memory is taken than bytes come out of the file."""
    most = min(MOST_BYTES, max(HARMLESS_BYTES, MOST_RATIO * path.stat().st_size))
    try:
        return read_npz(path, most)
    except ValueError as error:
        raise DataError(
            f"the .npz file cannot be read: {sentence(error)} Write it with numpy.savez, numbers and names only."
        ) from error


def _named(given: Mapping[str, _Array], test_share: float, several: bool) -> tuple[dict[str, _Array], list[str]]:
    """The four arrays by the names that the reader knows, and the classes where they are given."""
    rest = {CLASSES: given[CLASSES]} if CLASSES in given else {}
    rest |= _validation(given, several)
    for names in (dict(zip(NAMES, NAMES, strict=True)), _KERAS):
        if all(theirs in given for theirs in names.values()):
            return {ours: _plain(given[theirs], ours, theirs, several) for ours, theirs in names.items()} | rest, []
    for names in ({name: name for name in _WHOLE}, _WHOLE):
        if all(theirs in given for theirs in names.values()):
            whole = {ours: given[theirs] for ours, theirs in names.items()}
            check_images(whole["images"], names["images"])
            return _split(whole["images"], whole["labels"], test_share, several) | rest, [
                f"the file has no splits: {test_share:.0%} of each class are test"
            ]
    raise DataError(
        f"the file holds {', '.join(sorted(given)) or 'nothing'}; expected {', '.join(NAMES)} (or "
        f"{', '.join(_KERAS.values())}), or images and labels to be split here."
    )


def _validation(given: Mapping[str, _Array], several: bool) -> dict[str, _Array]:
    """The two arrays of a validation split, where there are such."""
    for names in (OF_VALIDATION, *_VALIDATION):
        there = [name for name in names if name in given]
        if len(there) == 1:
            raise DataError(f"the file holds {there[0]} alone; expected both {names[0]} and {names[1]}.")
        if there:
            return {
                ours: _plain(given[theirs], ours, theirs, several)
                for ours, theirs in zip(OF_VALIDATION, names, strict=True)
            }
    return {}


def _plain(array: _Array, ours: str, theirs: str, several: bool) -> _Array:
    if not ours.endswith("labels"):
        check_images(array, theirs)
        return array
    return indicators(array, theirs) if several else plain_labels(array, theirs)


def _check_counts(given: Mapping[str, _Array], packed: int) -> None:
    """Something is kept of each image, and that may be more than its pixels."""
    most = most_entries(packed)
    for name, array in given.items():
        if array.ndim and name != CLASSES and len(array) > most:
            raise DataError(f"'{name}' has {len(array):,} rows; at most {most:,} images are taken of {packed:,} bytes.")


def _split(images: _Array, labels: _Array, test_share: float, several: bool) -> dict[str, _Array]:
    labels = _plain(labels, "labels", "labels", several)
    count, what = len(images) if images.ndim else 0, "a row" if several else "an integer"
    if len(labels) != count or count < 2:
        raise DataError(f"there are {count} images and {len(labels)} labels; expected {what} for each image.")
    if int(labels.min()) < 0:
        raise DataError("there is a label below 0; expected numbers from 0 to classes - 1.")
    if int(labels.max()) >= MOST_CLASSES:
        raise DataError(f"there is a label of {int(labels.max())}; at most {MOST_CLASSES:,} classes are taken.")
    twins = groups_of([torch.from_numpy(np.ascontiguousarray(images))]) if images.ndim > 1 else None
    tested = held_out(strata(labels), max(1, round(test_share * len(labels))), TEST_SEED, twins)
    parts = {"train": ~tested, "test": tested}
    return {f"{part}_{what}": array[mask] for part, mask in parts.items()
            for what, array in (("images", images), ("labels", labels))}  # fmt: skip


def _check_labels(raw: RawData) -> None:
    classes = len(raw.classes or ())
    for part, _, labels in raw.parts():
        if int(labels.max()) >= classes:
            raise DataError(f"the {part} labels go up to {int(labels.max())}, and there are {classes} classes.")


def _survey(
    raw: RawData, findings: Findings, progress: Callable[[int, int], None]
) -> dict[int, list[NDArray[np.uint8]]]:
    thumbnails: dict[int, list[NDArray[np.uint8]]] = {}
    of, done = sum(len(labels) for _, _, labels in raw.parts()), 0
    for part, images, labels in raw.parts():
        for number, (image_CHW, target) in enumerate(zip(images.numpy(), labels.numpy(), strict=True)):
            own = tuple(np.flatnonzero(target).tolist()) if target.ndim else (int(target),)
            pixels = np.ascontiguousarray(image_CHW)
            digest = hashlib.sha256(pixels.data).hexdigest()
            findings.images.append(Image(part, own, f"{part}_images[{number}]", digest))
            for label in own if part == "train" else ():
                row = thumbnails.setdefault(label, [])
                if is_shown(label, len(row)):
                    row.append(_thumbnail(pixels))
            done += 1
            if done % 1000 == 0 or done == of:
                progress(done, of)
    _, height, width = raw.train_images.shape[1:]
    findings.heights, findings.widths = [height], [width]
    findings.count(pixel_counts(raw.train_images).numpy())
    return thumbnails


def _thumbnail(image_CHW: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image_HW3 = np.broadcast_to(image_CHW.transpose(1, 2, 0), (*image_CHW.shape[1:], 3))
    return np.asarray(ImageOps.pad(Pillow.fromarray(np.ascontiguousarray(image_HW3)), (THUMBNAIL, THUMBNAIL)))
