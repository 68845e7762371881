"""A user's own arrays: an .npz file, or a folder with one .npy file each, which is memory-mapped.

Shapes: N images, C channels (1 or 3), H and W pixels, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kd_engine.catalog.dataset_params import ArraysParams, inside
from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION, TASKS
from kd_engine.data.dataset import RawData
from kd_engine.data.readers.npz import read_npz
from kd_engine.platform.memory_map import mapped
from kd_engine.schema.errors import DataError, sentence

NAMES = ("train_images", "train_labels", "test_images", "test_labels")
OF_VALIDATION = ("validation_images", "validation_labels")  # where there are such
MOST_BYTES = 64 << 30  # of an .npz, unpacked: a small file can claim any size

_SHORT = {"val_images": "validation_images", "val_labels": "validation_labels"}

_SEVERAL = next((row.name for row in TASKS.values() if row.several), "")

_Array = NDArray[Any]


def read(data_dir: Path, params: ArraysParams, cache_dir: Path | None) -> RawData:
    """The arrays; images as uint8 `[N, C, H, W]` whichever way round they were.

    Args:
        cache_dir: not used; there is nothing to decode.

    Raises:
        DataError: something is missing, is no array, or is not of the expected type and shape.
    """
    absence = params.absence(data_dir)
    place = inside(data_dir, params.path)
    if absence is not None or place is None:
        raise DataError(absence or f"'{params.path}' leads out of KD_DATA_DIR.")
    arrays = _guarded(_unpack if place.is_file() else _map, place, params.path)
    _check_counts(params.path, arrays)
    parts = ("train", "test", *(("validation",) if OF_VALIDATION[0] in arrays else ()))
    images = {part: _images(arrays[f"{part}_images"], f"{params.path}: {part}_images") for part in parts}
    several = TASKS[params.task or IMAGE_CLASSIFICATION].several
    labels_of = _indicators if several else _labels
    labels = {part: labels_of(arrays[f"{part}_labels"], f"{params.path}: {part}_labels") for part in parts}
    _check_sizes(params.path, images)
    classes = params.classes or (_columns if several else _numbers)(params.path, labels)
    if several:
        _check_columns(params.path, labels, classes)
    return RawData(
        images["train"], labels["train"], images["test"], labels["test"], classes, images.get("validation"),
        labels.get("validation"),
    )  # fmt: skip


def _guarded(reader: Callable[[Path], dict[str, _Array]], place: Path, shown: str) -> dict[str, _Array]:
    try:
        return reader(place)
    except KeyError as error:
        raise DataError(f"{shown} does not hold {error.args[0]}; expected {', '.join(NAMES)}.") from error
    except OSError as error:
        raise DataError(f"{shown} cannot be read: {error.strerror or error}.") from error
    except (ValueError, EOFError, MemoryError) as error:
        raise DataError(
            f"{shown} cannot be read: {sentence(error)} Write it with numpy.savez or numpy.save, numbers only."
        ) from error


def _unpack(place: Path) -> dict[str, _Array]:
    arrays = _called(read_npz(place, MOST_BYTES, (*NAMES, *OF_VALIDATION, *_SHORT)))
    for name in (*NAMES, *(OF_VALIDATION if not arrays.keys().isdisjoint(OF_VALIDATION) else ())):
        if name not in arrays:
            raise KeyError(name)
    return arrays


def _called(arrays: dict[str, _Array]) -> dict[str, _Array]:
    """MedMNIST's `val_` is validation."""
    return {_SHORT.get(name, name): array for name, array in arrays.items()}


def _map(place: Path) -> dict[str, _Array]:
    arrays = {}
    there = [name for name in (*OF_VALIDATION, *_SHORT) if (place / f"{name}.npy").exists()]
    for name in (*NAMES, *there):
        path = place / f"{name}.npy"
        if not path.is_file() or not path.resolve().is_relative_to(place):
            raise KeyError(f"{name}.npy")
        arrays[name] = mapped(path)
    arrays = _called(arrays)
    if missing := set(OF_VALIDATION) - arrays.keys() if there else None:
        raise KeyError(f"{missing.pop()}.npy")
    return arrays


def check_images(array: _Array, shown: str) -> None:
    """Raises DataError where these are no pictures; the message has the line of numpy that mends them, if one does.

    Args:
        shown: what to call the array.
    """
    if array.dtype != np.uint8:
        hint = "; write (images * 255).round().astype('uint8')" if array.dtype.kind == "f" else ""
        raise DataError(f"{shown} is of type {array.dtype}; expected uint8, 0 to 255{hint}.")
    first, last = _channel_axes(array)
    if first == last or 0 in array.shape:
        why = "both could be the channels" if first and last else "expected N x H x W, N x H x W x 3 or N x 3 x H x W"
        raise DataError(f"{shown} is {' x '.join(map(str, array.shape))}: {why}{_unflattened(array)}.")


def _unflattened(array: _Array) -> str:
    """How rows of pixels become pictures, where they fill a square."""
    if array.ndim != 2:
        return ""
    for channels in (1, 3):
        side = math.isqrt(array.shape[1] // channels)
        if side > 1 and side * side * channels == array.shape[1]:
            grey, by_plane, by_pixel = f"{side}, {side}", f"3, {side}, {side}", f"{side}, {side}, 3"
            written = (grey,) if channels == 1 else (by_plane, by_pixel)
            how = " or ".join(f"images.reshape(-1, {shape})" for shape in written)
            return f"; where its rows are pictures of {side} x {side} pixels, write {how}"
    return ""


def _channel_axes(array: _Array) -> tuple[bool, bool]:
    """Whether the axis behind the images, and the last one, can be the channels; grey pictures need none."""
    if array.ndim == 3:
        return True, False
    return array.ndim == 4 and array.shape[1] in (1, 3), array.ndim == 4 and array.shape[3] in (1, 3)


def _images(array: _Array, shown: str) -> Tensor:
    check_images(array, shown)
    if array.ndim == 3:
        array = array[:, None]
    first, _ = _channel_axes(array)
    return torch.from_numpy(array if first else np.ascontiguousarray(array.transpose(0, 3, 1, 2)))


def _labels(array: _Array, shown: str) -> Tensor:
    labels_N = plain_labels(array, shown)
    if len(labels_N) == 0 or int(labels_N.min()) < 0:
        raise DataError(f"{shown} is empty or holds a label below 0; expected numbers from 0 to classes - 1.")
    return torch.from_numpy(labels_N.astype(np.int64))


def _indicators(array: _Array, shown: str) -> Tensor:
    return torch.from_numpy(indicators(array, shown))


def indicators(array: _Array, shown: str) -> NDArray[np.uint8]:
    """Several classes an image, or none, `[N, K]` of 0 and 1, as uint8.

    Raises:
        DataError: they are something else.
    """
    expected = "expected N x K numbers of 0 and 1, a row an image and a column a class"
    if array.ndim != 2 or array.dtype.kind not in "biuf" or not len(array):
        raise DataError(f"{shown} is {array.dtype} of shape {array.shape}; {expected}.")
    if array.shape[1] < 2:
        raise DataError(
            f"{shown} has one column: {expected}, of two classes or more. One class that is there or not is two "
            "classes an image has one of: send numbers of 0 and 1, one an image, without a task."
        )
    odd = (array != 0) & (array != 1)  # NaN too
    if odd.any():
        row, column = (int(place) for place in np.argwhere(odd)[0])
        raise DataError(
            f"{shown} holds {array[row, column]} in row {row}, column {column}; {expected}. Where a label is not "
            "known, leave the image out."
        )
    return array.astype(np.uint8)


def plain_labels(array: _Array, shown: str) -> _Array:
    """Labels as one dimension of integers, `[N]` from `[N]` or `[N, 1]`.

    Raises:
        DataError: they are something else; where a line of numpy mends them, the message has it.
    """
    labels = array.reshape(-1) if array.ndim == 2 and array.shape[1] == 1 else array
    name = shown.rpartition(" ")[2]
    if labels.dtype.kind in "iu" and labels.ndim == 1:
        return labels
    raise DataError(
        f"{shown} is {array.dtype} of shape {array.shape}; expected an integer for each image{_mending(labels, name)}."
    )


def _mending(labels: _Array, name: str) -> str:
    """The line of numpy that makes labels of these, where they are of a usual other form."""
    if labels.ndim == 2 and labels.dtype.kind in "biuf":
        ones = labels != 0
        if labels.size and bool((ones.sum(axis=1) == 1).all()):
            return f". They are one-hot: write {name} = {name}.argmax(axis=1)"
        return ". Each image has several labels, or none" + (f": say so, with task={_SEVERAL}" if _SEVERAL else "")
    if labels.dtype.kind in "SU" and labels.ndim == 1:
        return (
            f". They are texts: write classes, {name} = numpy.unique({name}, return_inverse=True), and save classes too"
        )
    if labels.dtype.kind == "b" and labels.ndim == 1:
        return f": write {name} = {name}.astype('int64')"
    if labels.dtype.kind == "f" and labels.ndim == 1:
        whole = bool(np.isfinite(labels).all()) and bool((labels == np.floor(labels)).all())
        return f": write {name} = {name}.astype('int64')" if whole else ". They are no whole numbers"
    return ""


def _check_counts(shown: str, arrays: dict[str, _Array]) -> None:
    """First of all: labels that no image has would be converted, a byte to eight."""
    for part in [name.removesuffix("_images") for name in arrays if name.endswith("_images")]:
        images, labels = (_length(arrays[f"{part}_{what}"]) for what in ("images", "labels"))
        if images != labels:
            raise DataError(
                f"{shown}: {part}_images has {images} images and {part}_labels {labels} labels; expected as many of "
                "each."
            )


def _length(array: _Array) -> int:
    return len(array) if array.ndim else 0


def _check_sizes(shown: str, images: dict[str, Tensor]) -> None:
    sizes = {part: tuple(found.shape[1:]) for part, found in images.items()}
    for part, size in sizes.items():
        if size != sizes["train"]:
            raise DataError(
                f"{shown}: train images are {sizes['train']} (channels, height, width), {part} images {size}."
            )


def _columns(shown: str, labels: dict[str, Tensor]) -> tuple[str, ...]:
    return tuple(map(str, range(labels["train"].shape[1])))


def _check_columns(shown: str, labels: dict[str, Tensor], classes: tuple[str, ...]) -> None:
    for part, found in labels.items():
        if found.shape[1] != len(classes):
            raise DataError(
                f"{shown}: {part}_labels has {found.shape[1]} columns, and there are {len(classes)} classes; expected "
                "a column for each."
            )


def _numbers(shown: str, labels: dict[str, Tensor]) -> tuple[str, ...]:
    """The classes' numbers as names; each must come up in train, or a label was mistyped."""
    found = np.unique(labels["train"].numpy()).tolist()
    if len(found) < 2 or found != list(range(len(found))):
        hint = ""
        if len(found) > 1:
            mended = "labels - 1" if found == list(range(1, len(found) + 1)) else (
                "numpy.searchsorted(numpy.unique(train_labels), labels)"
            )  # fmt: skip
            why = "begin at 1" if mended == "labels - 1" else "leave numbers out"
            hint = f" They {why}: for the labels of each split write labels = {mended}."
        raise DataError(
            f"{shown}: the train labels are {', '.join(map(str, found[:10]))}{', ...' if len(found) > 10 else ''}; "
            f"expected two classes or more, numbered from 0, each with images in train.{hint}"
        )
    most = max(int(numbers.max()) for numbers in labels.values())
    if most >= len(found):
        raise DataError(f"{shown}: there are labels up to {most} to test on, and train has 0 to {len(found) - 1}.")
    return tuple(map(str, found))
