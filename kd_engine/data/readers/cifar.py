"""CIFAR-10 and CIFAR-100 in the publisher's binary files or in his pickles.

Shapes: N images, 3 channels of 32x32 pixels, stored channel by channel, row by row.
"""

from __future__ import annotations

import gzip
import logging
import tarfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kd_engine.catalog.datasets import DATASETS, Layout
from kd_engine.data.dataset import RawData
from kd_engine.data.readers.download import fetch
from kd_engine.data.readers.restricted_pickle import load_arrays
from kd_engine.platform.verified_files import ADVICE, atomic_write, md5_of, read, read_verified
from kd_engine.schema.errors import DataError

logger = logging.getLogger(__name__)

PIXELS = 3 * 32 * 32
MAX_MEMBER_BYTES = 200_000_000  # the largest pickle, CIFAR-100's train, has 155 MB


@dataclass(frozen=True)
class Variant:
    """What tells the two data sets apart. Files are in the publisher's order, the test file last.

    Attributes:
        counts: images in each file, by its name in the layout of pickles.
        label_bytes: before the pixels of a binary record; the last of them is the label.
        label_key: of the labels in a pickle.
        python_md5, binary_md5: by file; empty where the publisher's sum is not known.
    """

    name: str
    classes: int
    counts: dict[str, int]
    label_bytes: int
    label_key: bytes
    python_folder: str
    python_md5: dict[str, str]
    binary_md5: dict[str, str]
    archive: str
    archive_md5: str
    mirrors: tuple[str, ...]


CIFAR10 = Variant(
    name="cifar10",
    classes=10,
    counts={**{f"data_batch_{number}": 10_000 for number in range(1, 6)}, "test_batch": 10_000},
    label_bytes=1,
    label_key=b"labels",
    python_folder="cifar-10-batches-py",
    python_md5={
        "data_batch_1": "c99cafc152244af753f735de768cd75f",
        "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
        "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
        "data_batch_4": "634d18415352ddfa80567beed471001a",
        "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
        "test_batch": "40351d587109b95175f43aff81a1287e",
    },
    binary_md5={
        "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
        "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
        "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
        "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
        "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
        "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
    },
    archive="cifar-10-python.tar.gz",
    archive_md5="c58f30108f718f92721af3b95e74349a",
    mirrors=("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",),
)
CIFAR100 = Variant(
    name="cifar100",
    classes=100,
    counts={"train": 50_000, "test": 10_000},
    label_bytes=2,  # the coarse label, then the fine one
    label_key=b"fine_labels",
    python_folder="cifar-100-python",
    python_md5={"train": "16019d7e3df5f24257cddd939b257f8d", "test": "f0ef6b0ae62326f3e7ffdfab6717acfc"},
    binary_md5={},
    archive="cifar-100-python.tar.gz",
    archive_md5="eb9058c3a382ffc7106e4002c42a8d85",
    mirrors=("https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",),
)

# one file and its number of images in: pixels uint8 [N, 3072] and labels int64 [N] out
_Reader = Callable[[Variant, Path, int], tuple[NDArray[np.uint8], NDArray[np.int64]]]


def read_cifar10(data_dir: Path, layout: Layout | None) -> RawData:
    """All of CIFAR-10 from the files of `layout`, in the publisher's order, which is the same in both layouts.

    Raises:
        DataError: a file is missing, truncated or not the published one.
    """
    return _read(CIFAR10, data_dir, layout)


def read_cifar100(data_dir: Path, layout: Layout | None) -> RawData:
    """All of CIFAR-100 with its fine labels, as `read_cifar10`."""
    return _read(CIFAR100, data_dir, layout)


def download_cifar10(data_dir: Path) -> None:
    """Fetches the publisher's archive and takes the batches out of it into `data_dir/cifar-10-batches-py`.

    Raises:
        DataError: no mirror gave the archive, or it does not hold the batches.
        DiskFullError: no room for it.
    """
    _download(CIFAR10, data_dir)


def download_cifar100(data_dir: Path) -> None:
    """Fetches the archive into `data_dir/cifar-100-python`, as `download_cifar10`."""
    _download(CIFAR100, data_dir)


def _read(variant: Variant, data_dir: Path, layout: Layout | None) -> RawData:
    if layout is None:
        raise DataError(DATASETS[variant.name].absence(data_dir))
    folder = data_dir / layout.folder
    *train, test = layout.files
    reader = _binary if test.endswith(".bin") else _pickled
    train_images, train_labels = _join(variant, folder, train, reader)
    test_images, test_labels = _join(variant, folder, [test], reader)
    return RawData(train_images, train_labels, test_images, test_labels)


def _download(variant: Variant, data_dir: Path) -> None:
    archive = data_dir / variant.archive
    fetch(variant.mirrors, archive, variant.archive_md5)
    try:
        extract(variant, archive, data_dir / variant.python_folder)
    finally:
        archive.unlink(missing_ok=True)


def extract(variant: Variant, archive: Path, folder: Path) -> None:
    """Writes the expected files, looked up by name and checked before they are written; all else is left alone.

    Raises:
        DataError: a file is missing from the archive, is not a plain file, is too large, or has another checksum.
    """
    missing = set(variant.python_md5)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                parent, _, name = member.name.rpartition("/")
                if parent != variant.python_folder or name not in missing:
                    continue
                content, expected = _member(tar, member), variant.python_md5[name]
                if md5_of(content) != expected:
                    raise DataError(
                        f"{member.name} in {archive.name} has md5 {md5_of(content)}; expected {expected}. {ADVICE}"
                    )
                with atomic_write(folder / name) as file:
                    file.write(content)
                missing.remove(name)
    except (tarfile.TarError, EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise DataError(f"{archive.name} is not a whole archive ({error}). {ADVICE}") from error
    if missing:
        raise DataError(f"{archive.name} does not hold {', '.join(sorted(missing))}. {ADVICE}")


def _member(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    if not member.isfile() or member.size > MAX_MEMBER_BYTES:
        raise DataError(
            f"{member.name} in the archive is not a plain file of at most {MAX_MEMBER_BYTES:,} bytes. {ADVICE}"
        )
    file = tar.extractfile(member)
    assert file is not None, "a plain file has content"
    return file.read()


def _join(variant: Variant, folder: Path, names: list[str], reader: _Reader) -> tuple[torch.Tensor, torch.Tensor]:
    """All files as one tensor each of images and labels, with the publisher's equal number of images a class."""
    sizes = [variant.counts[name.removesuffix(".bin")] for name in names]
    images_NCHW = np.empty((sum(sizes), 3, 32, 32), np.uint8)
    labels_N = np.empty(sum(sizes), np.int64)
    start = 0
    for name, size in zip(names, sizes, strict=True):
        place = slice(start, start + size)
        start += size
        pixels, labels = reader(variant, folder / name, size)
        if labels.min() < 0 or labels.max() >= variant.classes:
            raise DataError(
                f"{folder / name} holds labels from {labels.min()} to {labels.max()}; expected 0 to "
                f"{variant.classes - 1}. {ADVICE}"
            )
        images_NCHW[place], labels_N[place] = pixels.reshape(-1, 3, 32, 32), labels
    counts = np.bincount(labels_N, minlength=variant.classes)
    if len(set(counts.tolist())) != 1:
        raise DataError(
            f"{folder}: {', '.join(names)} hold {_some(counts.tolist())} images of the classes 0 to "
            f"{variant.classes - 1}; expected {len(labels_N) // variant.classes} of each. {ADVICE}"
        )
    return torch.from_numpy(images_NCHW), torch.from_numpy(labels_N)


def _some(counts: list[int]) -> str:
    """Ten counts are told in full; of a hundred, the least and the most."""
    return str(counts) if len(counts) <= 10 else f"{min(counts)} to {max(counts)}"


def _binary(variant: Variant, path: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Records of a label and 3,072 pixels, a byte each."""
    content = read(path)
    found = md5_of(content)
    record = variant.label_bytes + PIXELS
    if len(content) != count * record:
        raise DataError(f"{path} has {len(content):,} bytes (md5 {found}); expected {count * record:,}. {ADVICE}")
    if found != variant.binary_md5.get(path.name, found):
        # copies converted from other formats are common and sound; the report carries the checksum of what was read
        logger.warning("%s is not the published file (its md5 is %s), but its size and labels are right", path, found)
    records = np.frombuffer(content, np.uint8).reshape(count, record)
    return records[:, variant.label_bytes :], records[:, variant.label_bytes - 1].astype(np.int64)


def _pickled(variant: Variant, path: Path, count: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A pickled dict with `data`, uint8 [N, 3072], and the labels, a list."""
    content = load_arrays(read_verified(path, variant.python_md5[path.name]), path)
    data, labels = content.get(b"data"), content.get(variant.label_key)
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (count, PIXELS):
        raise DataError(f"{path}: 'data' is not a uint8 array of shape ({count}, {PIXELS}). {ADVICE}")
    if not isinstance(labels, list) or len(labels) != count or not all(type(label) is int for label in labels):
        raise DataError(f"{path}: '{variant.label_key.decode()}' is not a list of {count} whole numbers. {ADVICE}")
    return data, np.asarray(labels, np.int64)
