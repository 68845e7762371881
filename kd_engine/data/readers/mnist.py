"""MNIST in the publisher's idx files, zipped or not.

An idx file is a header of big-endian 32-bit numbers (a magic number, then the size of each dimension) and the bytes.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kd_engine.catalog.datasets import DATASETS, Layout
from kd_engine.data.dataset import RawData
from kd_engine.data.readers.download import fetch
from kd_engine.platform.verified_files import ADVICE, read_verified
from kd_engine.schema.errors import DataError

COUNTS = {"train": 60_000, "t10k": 10_000}
SIDE = 28
MIRRORS = (
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
)
# of the published files, and of what is in them
MD5 = {
    "train-images-idx3-ubyte.gz": "f68b3c2dcbeaaa9fbdd348bbdeb94873",
    "train-labels-idx1-ubyte.gz": "d53e105ee54ea40749a09fcbcd1e9432",
    "t10k-images-idx3-ubyte.gz": "9fb629c4189551a2d022fa330f9573f3",
    "t10k-labels-idx1-ubyte.gz": "ec29112dd5afa0611ce80d1b7f02629c",
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_GZIP_WINDOW = 31  # zlib's way of saying: the largest window, with gzip's header and checksum


def read(data_dir: Path, layout: Layout | None) -> RawData:
    """All of MNIST from the files of `layout`, their checksums, headers, sizes and labels checked.

    Raises:
        DataError: a file is missing, truncated or not the published one.
    """
    if layout is None:
        raise DataError(DATASETS["mnist"].absence(data_dir))
    folder = data_dir / layout.folder
    suffix = ".gz" if layout.files[0].endswith(".gz") else ""
    return RawData(
        train_images=_images(folder / f"train-images-idx3-ubyte{suffix}", COUNTS["train"]),
        train_labels=_labels(folder / f"train-labels-idx1-ubyte{suffix}", COUNTS["train"]),
        test_images=_images(folder / f"t10k-images-idx3-ubyte{suffix}", COUNTS["t10k"]),
        test_labels=_labels(folder / f"t10k-labels-idx1-ubyte{suffix}", COUNTS["t10k"]),
    )


def download(data_dir: Path) -> None:
    """Fetches the four zipped files into `data_dir/MNIST/raw`; those that are there already stay.

    Raises:
        DataError: no mirror gave a file.
        DiskFullError: no room for it.
    """
    layout = DATASETS["mnist"].layouts[0]
    for name in layout.files:
        target = data_dir / layout.folder / name
        if not target.is_file():
            fetch([mirror + name for mirror in MIRRORS], target, MD5[name])


def _images(path: Path, count: int) -> Tensor:
    return torch.from_numpy(_idx(path, (count, SIDE, SIDE))).unsqueeze(1)


def _labels(path: Path, count: int) -> Tensor:
    labels_N = _idx(path, (count,))
    if labels_N.max() > 9:
        raise DataError(f"{path} holds the label {labels_N.max()}; expected 0 to 9. {ADVICE}")
    return torch.from_numpy(labels_N).long()


def _idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The array in an idx file that must hold bytes in this shape."""
    header = struct.pack(f">{1 + len(shape)}I", 0x0800 + len(shape), *shape)
    size = len(header) + int(np.prod(shape))
    content = read_verified(path, MD5[path.name])
    if path.suffix == ".gz":
        content = _unzipped(path, content, size)
    if len(content) != size or not content.startswith(header):
        raise DataError(
            f"{path} holds {len(content):,} bytes with the header {content[: len(header)].hex()}; expected {size:,} "
            f"bytes with {header.hex()}: the idx format, {' x '.join(map(str, shape))} bytes. {ADVICE}"
        )
    # a copy: torch wants memory that may be written to
    return np.frombuffer(content, np.uint8, offset=len(header)).reshape(shape).copy()


def _unzipped(path: Path, content: bytes, size: int) -> bytes:
    """At most one byte more than expected: a zip bomb stays small."""
    unzip = zlib.decompressobj(_GZIP_WINDOW)
    try:
        return unzip.decompress(content, size + 1)
    except zlib.error as error:
        raise DataError(f"{path} is not a gzip file ({error}). {ADVICE}") from error
