"""Archives of arrays as their publishers write them: the idx files of the MNIST family (and of EMNIST, which lie on
their side), CIFAR's pickles, and SVHN's MATLAB files.

Shapes: N images, H and W pixels.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from kd_engine.data.readers.restricted_pickle import load_arrays
from kd_engine.intake.archive import MOST_RATIO, Member, Packed
from kd_engine.intake.arrays import CLASSES, HARMLESS_BYTES
from kd_engine.intake.mat_file import BadMat, read_mat
from kd_engine.intake.split_names import splits_in
from kd_engine.schema.errors import DataError

_Array = NDArray[Any]
_GZIP, _GZIP_WINDOW = b"\x1f\x8b", 31  # zlib's way of saying: the largest window, with gzip's header and checksum
_IDX = re.compile(r"(images|labels)[-._]idx[13][-._]ubyte(\.gz)?$")
_SPLITS = (("train", "train"), ("t10k", "test"), ("test", "test"), ("valid", "validation"), ("val", "validation"))
_CIFAR_10 = re.compile(r"^data_batch_[1-5]$")
_SIDE = 32
_EMNIST, _MAPPING, _MOST_MAPPING_BYTES = "emnist-", "-mapping.txt", 10_000
_MAT = ".mat"


class Published(NamedTuple):
    """
    Attributes:
        arrays: by the names of `check_arrays`.
        notes: what was done to them that their sender should know.
    """

    arrays: dict[str, _Array]
    notes: list[str]


def arrays_of(archive: Packed) -> Published | None:
    """What the archive holds; None where it is none of these.

    Raises:
        DataError: it is one, and broken.
    """
    plain = [member for member in archive.members if not any(part.startswith(".") for part in member.name.split("/"))]
    by_name = {member.name.rpartition("/")[2]: member for member in plain}
    if any(member.is_picture for member in plain):
        return None
    idx = {name: member for name, member in by_name.items() if _IDX.search(name.lower())}
    if idx:
        arrays = _idx_files(archive, idx)
        return _set_right(archive, arrays, by_name) if any(map(_is_of_emnist, idx)) else Published(arrays, [])
    mats = {name: member for name, member in by_name.items() if name.lower().endswith(_MAT)}
    if mats and any(splits_in(name[: -len(_MAT)]) for name in mats):
        return _svhn(archive, mats)
    if "test_batch" in by_name and any(map(_CIFAR_10.match, by_name)):
        train = sorted(filter(_CIFAR_10.match, by_name))
        return Published(_cifar(archive, by_name, train, "test_batch", "batches.meta"), [])
    if {"train", "test", "meta"} <= by_name.keys():
        return Published(_cifar(archive, by_name, ["train"], "test", "meta"), [])
    return None


def _idx_files(archive: Packed, members: Mapping[str, Member]) -> dict[str, _Array]:
    arrays: dict[str, _Array] = {}
    for member, content in archive.contents(members.values()):
        name = member.name.rpartition("/")[2].lower()
        split = next((ours for theirs, ours in _SPLITS if theirs in name), None)
        if split is None:
            raise DataError(f"'{member.name}' does not say which split it is of; expected train or t10k in its name.")
        key = f"{split}_{'images' if 'images' in name else 'labels'}"
        if key in arrays:
            raise DataError(
                f"the archive holds two files for {key.replace('_', ' ')}; send one data set of the family."
            )
        arrays[key] = _idx(content, member.name)
    return arrays


def _idx(content: bytes, name: str) -> _Array:
    """A header of big-endian 32-bit numbers (a magic number, then the size of each dimension) and the bytes."""
    most = max(HARMLESS_BYTES, MOST_RATIO * len(content))
    if content.startswith(_GZIP):
        size = _size(_unzipped(content, 16, name), name)
        if size > most:
            raise DataError(f"'{name}' says that it holds {size:,} bytes; at most {most:,} are taken of its size.")
        content = _unzipped(content, size + 1, name)
    size = _size(content, name)
    if len(content) != size:
        raise DataError(f"'{name}' says that it holds {size:,} bytes, and has {len(content):,} or more; get it again.")
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _size(head: bytes, name: str) -> int:
    """Of the whole, in bytes, as its header says."""
    if head[:3] != b"\0\0\x08" or len(head) < 8 or head[3] not in (1, 3) or len(head) < 4 + 4 * head[3]:
        raise DataError(
            f"'{name}' is no idx file of bytes, with one dimension or three; get the publisher's file again."
        )
    sides: tuple[int, ...] = struct.unpack_from(f">{head[3]}I", head, 4)
    return 4 + 4 * head[3] + math.prod(sides)


def _unzipped(content: bytes, most: int, name: str) -> bytes:
    try:
        return zlib.decompressobj(_GZIP_WINDOW).decompress(content, most)
    except zlib.error as error:
        raise DataError(f"'{name}' is no gzip file ({error}); get the publisher's file again.") from error


def _is_of_emnist(name: str) -> bool:
    return name.lower().startswith(_EMNIST)


def _set_right(archive: Packed, arrays: dict[str, _Array], by_name: Mapping[str, Member]) -> Published:
    """EMNIST's pictures lie on their side, mirrored: rows and columns are exchanged. Its letters count from 1."""
    notes = ["EMNIST's files hold their pictures with rows and columns exchanged: they were set upright"]
    arrays = {name: array.swapaxes(1, 2) if array.ndim == 3 else array for name, array in arrays.items()}
    labels = [name for name, array in arrays.items() if array.ndim == 1 and array.size]
    first = int(bool(labels) and all(arrays[name].min() == 1 for name in labels))
    if first:
        notes.append("labels were counted from 1, and are from 0")
        arrays |= {name: arrays[name] - 1 for name in labels}
    mappings = [member for name, member in by_name.items() if _is_of_emnist(name) and name.lower().endswith(_MAPPING)]
    if len(mappings) == 1 and mappings[0].size <= _MOST_MAPPING_BYTES:
        for _, content in archive.contents(mappings):
            if names := _mapped(content, first):
                arrays[CLASSES] = np.array(names)
    return Published(arrays, notes)


def _mapped(content: bytes, first: int) -> list[str]:
    """The classes of a mapping: a line a label, with the codes of its letters; empty where it is another file."""
    rows = [line.split() for line in content.splitlines()]
    fits = all(len(row) > 1 and row[0] == b"%d" % label and row[1].isdigit() for label, row in enumerate(rows, first))
    return [chr(int(row[1][:3])) for row in rows] if fits else []


def _svhn(archive: Packed, members: Mapping[str, Member]) -> Published:
    """X is H x W x C x N, and a label of 10 is a zero."""
    arrays: dict[str, _Array] = {}
    notes: list[str] = []
    wanted: dict[Member, str] = {}
    for name, member in members.items():
        splits = splits_in(name[: -len(_MAT)])
        if len(splits) == 1 and splits[0] not in wanted.values():
            wanted[member] = splits[0]
        else:
            notes.append(f"left out, as it names no split, or one that is there already: {member.name}")
    for member, content in archive.contents(wanted):
        most = max(HARMLESS_BYTES, MOST_RATIO * len(content))
        try:
            found = read_mat(content, ("X", "y"), most)
        except BadMat as error:
            raise DataError(f"'{member.name}' cannot be read: {error}.") from error
        images, labels = found.get("X"), found.get("y")
        if images is None or labels is None or images.ndim != 4 or labels.size != images.shape[3]:
            raise DataError(f"'{member.name}' is none of SVHN's: expected X, H x W x C x N, and y with N labels.")
        arrays[f"{wanted[member]}_images"] = images.transpose(3, 0, 1, 2)
        arrays[f"{wanted[member]}_labels"] = labels.reshape(-1)
    labelled = [name for name in arrays if name.endswith("labels") and arrays[name].size]
    lowest, highest = (np.array([end(arrays[name]) for name in labelled]) for end in (np.min, np.max))
    if labelled and lowest.min() == 1 and highest.max() == 10:
        notes.append("a label of 10 was taken for 0, as in SVHN")
        arrays |= {name: np.where(arrays[name] == 10, 0, arrays[name]) for name in labelled}
    return Published(arrays, notes)


def _cifar(archive: Packed, members: Mapping[str, Member], train: list[str], test: str, meta: str) -> dict[str, _Array]:
    wanted = [members[name] for name in (*train, test, meta) if name in members]
    found = {
        member.name.rpartition("/")[2]: load_arrays(content, Path(member.name))
        for member, content in archive.contents(wanted)
    }
    arrays: dict[str, _Array] = {}
    for split, names in (("train", train), ("test", [test])):
        parts = [_batch(found[name], name) for name in names]
        arrays[f"{split}_images"] = np.concatenate([images for images, _ in parts])
        arrays[f"{split}_labels"] = np.concatenate([labels for _, labels in parts])
    texts = found.get(meta, {})
    classes = texts.get(b"fine_label_names", texts.get(b"label_names"))
    most = max(int(arrays[name].max(initial=0)) for name in ("train_labels", "test_labels"))
    if isinstance(classes, list) and len(classes) > most:
        arrays["classes"] = np.array([_text(name) for name in classes])
    return arrays


def _batch(batch: Mapping[Any, Any], name: str) -> tuple[_Array, _Array]:
    images, labels = batch.get(b"data"), batch.get(b"fine_labels", batch.get(b"labels"))
    if (
        not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.shape[1:] != (3 * _SIDE**2,)
        or not isinstance(labels, list) or not all(type(label) is int and 0 <= label < 2**31 for label in labels)
    ):  # fmt: skip
        raise DataError(f"'{name}' is no batch of CIFAR's: expected data, N x {3 * _SIDE**2} bytes, and its labels.")
    return images.reshape(-1, 3, _SIDE, _SIDE), np.array(labels, np.int64)


def _text(name: object) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else str(name)[:200]
