"""CIFAR-10 in the publisher's binary files or in his pickles.

Shapes: N images, 3 channels of 32x32 pixels, stored channel by channel, row by row.
"""

from __future__ import annotations

import gzip
import logging
import tarfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from kd_engine.catalog.datasets import DATASETS, Layout
from kd_engine.data.dataset import RawData
from kd_engine.data.download import fetch
from kd_engine.data.files import ADVICE, atomic_write, md5_of, read, read_verified
from kd_engine.data.safe_pickle import load_arrays
from kd_engine.errors import DataError

logger = logging.getLogger(__name__)

PER_FILE = 10_000
CLASSES = 10
PIXELS = 3 * 32 * 32
ARCHIVE = "cifar-10-python.tar.gz"
ARCHIVE_MD5 = "c58f30108f718f92721af3b95e74349a"
MIRRORS = ("https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz",)
MAX_MEMBER_BYTES = 40_000_000  # a batch of pickles has 31 MB
PYTHON_MD5 = {
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
BINARY_MD5 = {
    "data_batch_1.bin": "5dd7e06a14cb22eb9f671a540d1b7c25",
    "data_batch_2.bin": "5ea93a67294ea407fff1d09f752e9692",
    "data_batch_3.bin": "942cd6a4bcdd0dd3c604fbe906cb4421",
    "data_batch_4.bin": "ae636b3ba5c66a11e91e8cb52e771fcb",
    "data_batch_5.bin": "53f37980c15c3d472c316c40844f3f0d",
    "test_batch.bin": "803d5f7f4d78ea53de84dbe85f74fb6d",
}

# one file in: pixels uint8 [N, 3072] and labels int64 [N] out
_Reader = Callable[[Path], tuple[NDArray[np.uint8], NDArray[np.int64]]]


def read_cifar10(data_dir: Path, layout: Layout | None) -> RawData:
    """All of CIFAR-10 from the files of `layout`, in the publisher's order, which is the same in both layouts.

    Raises:
        DataError: a file is missing, truncated or not the published one.
    """
    if layout is None:
        raise DataError(DATASETS["cifar10"].absence(data_dir))
    folder = data_dir / layout.folder
    *train, test = layout.files
    reader = _binary if test.endswith(".bin") else _pickled
    train_images, train_labels = _join(folder, train, reader)
    test_images, test_labels = _join(folder, [test], reader)
    return RawData(train_images, train_labels, test_images, test_labels)


def download_cifar10(data_dir: Path) -> None:
    """Fetches the publisher's archive and takes the six batches out of it into `data_dir/cifar-10-batches-py`.

    Raises:
        DataError: no mirror gave the archive, or it does not hold the batches.
        DiskFullError: no room for it.
    """
    archive = data_dir / ARCHIVE
    fetch(MIRRORS, archive, ARCHIVE_MD5)
    try:
        extract(archive, data_dir / "cifar-10-batches-py")
    finally:
        archive.unlink(missing_ok=True)


def extract(archive: Path, folder: Path) -> None:
    """Writes the expected batches, looked up by name and checked before they are written; all else is left alone.

    Raises:
        DataError: a batch is missing from the archive, is not a plain file, is too large, or has another checksum.
    """
    missing = set(PYTHON_MD5)
    try:
        with tarfile.open(archive, "r:gz") as tar:
            for member in tar:
                parent, _, name = member.name.rpartition("/")
                if parent != "cifar-10-batches-py" or name not in missing:
                    continue
                content = _member(tar, member)
                if md5_of(content) != PYTHON_MD5[name]:
                    raise DataError(
                        f"{member.name} in {archive.name} has md5 {md5_of(content)}; expected {PYTHON_MD5[name]}. "
                        f"{ADVICE}"
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


def _join(folder: Path, names: list[str], reader: _Reader) -> tuple[torch.Tensor, torch.Tensor]:
    """All files as one tensor each of images and labels, with the publisher's equal number of images a class."""
    images_NCHW = np.empty((len(names) * PER_FILE, 3, 32, 32), np.uint8)
    labels_N = np.empty(len(names) * PER_FILE, np.int64)
    for number, name in enumerate(names):
        place = slice(number * PER_FILE, (number + 1) * PER_FILE)
        pixels, labels = reader(folder / name)
        if labels.min() < 0 or labels.max() >= CLASSES:
            raise DataError(
                f"{folder / name} holds labels from {labels.min()} to {labels.max()}; expected 0 to {CLASSES - 1}. "
                f"{ADVICE}"
            )
        images_NCHW[place], labels_N[place] = pixels.reshape(-1, 3, 32, 32), labels
    counts = np.bincount(labels_N, minlength=CLASSES)
    if len(set(counts.tolist())) != 1:
        raise DataError(
            f"{folder}: {', '.join(names)} hold {counts.tolist()} images of the classes 0 to {CLASSES - 1}; expected "
            f"{len(labels_N) // CLASSES} of each. {ADVICE}"
        )
    return torch.from_numpy(images_NCHW), torch.from_numpy(labels_N)


def _binary(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Records of one label byte and 3,072 pixel bytes."""
    content = read(path)
    found = md5_of(content)
    expected = PER_FILE * (1 + PIXELS)
    if len(content) != expected:
        raise DataError(f"{path} has {len(content):,} bytes (md5 {found}); expected {expected:,}. {ADVICE}")
    if found != BINARY_MD5[path.name]:
        # copies converted from other formats are common and sound; the report carries the checksum of what was read
        logger.warning("%s is not the published file (its md5 is %s), but its size and labels are right", path, found)
    records = np.frombuffer(content, np.uint8).reshape(PER_FILE, 1 + PIXELS)
    return records[:, 1:], records[:, 0].astype(np.int64)


def _pickled(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """A pickled dict with `data`, uint8 [N, 3072], and `labels`, a list."""
    content = load_arrays(read_verified(path, PYTHON_MD5[path.name]), path)
    data, labels = content.get(b"data"), content.get(b"labels")
    if not isinstance(data, np.ndarray) or data.dtype != np.uint8 or data.shape != (PER_FILE, PIXELS):
        raise DataError(f"{path}: 'data' is not a uint8 array of shape ({PER_FILE}, {PIXELS}). {ADVICE}")
    if not isinstance(labels, list) or len(labels) != PER_FILE or not all(type(label) is int for label in labels):
        raise DataError(f"{path}: 'labels' is not a list of {PER_FILE} whole numbers. {ADVICE}")
    return data, np.asarray(labels, np.int64)
