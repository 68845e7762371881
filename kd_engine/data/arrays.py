"""A user's own arrays: an .npz file, or a folder with one .npy file each, which is memory-mapped.

Shapes: N images, C channels (1 or 3), H and W pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kd_engine.catalog.dataset_params import ArraysParams, inside
from kd_engine.data.dataset import RawData
from kd_engine.data.mapped import mapped
from kd_engine.data.npz import read_npz
from kd_engine.errors import DataError

NAMES = ("train_images", "train_labels", "test_images", "test_labels")
MOST_BYTES = 64 << 30  # of an .npz, unpacked: a small file can claim any size

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
    images = {part: _images(arrays[f"{part}_images"], f"{params.path}: {part}_images") for part in ("train", "test")}
    labels = {part: _labels(arrays[f"{part}_labels"], f"{params.path}: {part}_labels") for part in ("train", "test")}
    _check_sizes(params.path, images)
    return RawData(
        images["train"], labels["train"], images["test"], labels["test"],
        classes=params.classes or _numbers(params.path, labels),
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
            f"{shown} cannot be read: {error}. Write it with numpy.savez or numpy.save, numbers only."
        ) from error


def _unpack(place: Path) -> dict[str, _Array]:
    arrays = read_npz(place, MOST_BYTES, NAMES)
    for name in NAMES:
        if name not in arrays:
            raise KeyError(name)
    return arrays


def _map(place: Path) -> dict[str, _Array]:
    arrays = {}
    for name in NAMES:
        path = place / f"{name}.npy"
        if not path.is_file() or not path.resolve().is_relative_to(place):
            raise KeyError(f"{name}.npy")
        arrays[name] = mapped(path)
    return arrays


def _images(array: _Array, shown: str) -> Tensor:
    if array.dtype != np.uint8:
        hint = "; write (images * 255).round().astype('uint8')" if array.dtype.kind == "f" else ""
        raise DataError(f"{shown} is of type {array.dtype}; expected uint8, 0 to 255{hint}.")
    shape = " x ".join(map(str, array.shape))
    if array.ndim == 3:
        array = array[:, None]
    first, last = (array.ndim == 4 and array.shape[axis] in (1, 3) for axis in (1, 3))
    if first == last or 0 in array.shape:
        why = "both could be the channels" if first and last else "expected N x H x W, N x H x W x 3 or N x 3 x H x W"
        raise DataError(f"{shown} is {shape}: {why}.")
    return torch.from_numpy(array if first else np.ascontiguousarray(array.transpose(0, 3, 1, 2)))


def _labels(array: _Array, shown: str) -> Tensor:
    if array.dtype.kind not in "iu" or array.ndim != 1:
        raise DataError(f"{shown} is {array.dtype} with {array.ndim} dimensions; expected one dimension of integers.")
    if len(array) == 0 or int(array.min()) < 0:
        raise DataError(f"{shown} is empty or holds a label below 0; expected numbers from 0 to classes - 1.")
    return torch.from_numpy(array.astype(np.int64))


def _check_counts(shown: str, arrays: dict[str, _Array]) -> None:
    """First of all: labels that no image has would be converted, a byte to eight."""
    for part in ("train", "test"):
        images, labels = (_length(arrays[f"{part}_{what}"]) for what in ("images", "labels"))
        if images != labels:
            raise DataError(
                f"{shown}: {part}_images has {images} images and {part}_labels {labels} labels; expected as many of "
                "each."
            )


def _length(array: _Array) -> int:
    return len(array) if array.ndim else 0


def _check_sizes(shown: str, images: dict[str, Tensor]) -> None:
    train, test = (tuple(images[part].shape[1:]) for part in ("train", "test"))
    if train != test:
        raise DataError(f"{shown}: train images are {train} (channels, height, width), test images {test}.")


def _numbers(shown: str, labels: dict[str, Tensor]) -> tuple[str, ...]:
    """The classes' numbers as names; each must come up in train, or a label was mistyped."""
    found = np.unique(labels["train"].numpy()).tolist()
    if len(found) < 2 or found != list(range(len(found))):
        raise DataError(
            f"{shown}: the train labels are {', '.join(map(str, found[:10]))}{', ...' if len(found) > 10 else ''}; "
            "expected two classes or more, numbered from 0, each with images in train."
        )
    return tuple(map(str, found))
