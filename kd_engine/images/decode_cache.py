"""Decoded pictures on disk, memory-mapped, found again by what they were made of.

Shapes: N images, C channels, H and W pixels.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from kd_engine.images.decode import Picture, decode_all
from kd_engine.platform.memory_map import mapped
from kd_engine.platform.verified_files import atomic_write, hash_in_parts

logger = logging.getLogger(__name__)

_FORMAT = 2  # raised when equal files would be decoded to other pixels than before
_INDEX = "index.json"


def load_pictures(
    parts: Mapping[str, Sequence[Picture]], height: int, width: int, cache_dir: Path | None, channels: int = 3
) -> dict[str, Tensor]:
    """uint8 `[N, C, H, W]` of each part, decoded now or by an earlier run.

    Args:
        channels: 3, or 1 for grey.
        cache_dir: shared by all runs; safe to empty. A damaged entry counts as none. None: nothing is kept.

    Raises:
        DataError: a file is not a picture, is broken, or has changed since it was identified.
        DiskFullError: no room for the cache.
    """
    if cache_dir is None:
        return {part: _in_memory(pictures, height, width, channels) for part, pictures in parts.items()}
    folder = cache_dir / "pictures" / key_of(parts, height, width, channels)
    found = _open(folder, list(parts))
    if found is None:
        _fill(folder, parts, height, width, channels)
        found = _open(folder, list(parts))
        assert found is not None, "what was just written can be read"
    return found


def key_of(parts: Mapping[str, Sequence[Picture]], height: int, width: int, channels: int = 3) -> str:
    """sha256, in hex, of all that decides the pixels: the files' names, sizes and checksums, and the target size."""
    files = [
        [part, picture.shown, picture.size, picture.sha256] for part, pictures in parts.items() for picture in pictures
    ]
    about = json.dumps({"format": _FORMAT, "height": height, "width": width, "channels": channels, "files": files})
    return hashlib.sha256(about.encode()).hexdigest()


def _fill(folder: Path, parts: Mapping[str, Sequence[Picture]], height: int, width: int, channels: int) -> None:
    """The index goes last, so that an entry is whole once it is there; two runs at once write the same."""
    logger.info("decoding pictures to %d x %d pixels, once for all runs", height, width)
    checksums = {}
    for part, pictures in parts.items():
        digest = hashlib.sha256()
        with atomic_write(folder / f"{part}.npy") as file:
            shape = (len(pictures), channels, height, width)
            about = {"descr": "|u1", "fortran_order": False, "shape": shape}
            np.lib.format.write_array_header_1_0(file, about)
            for image_CHW in decode_all(pictures, height, width, channels):
                digest.update(image_CHW.data)
                file.write(image_CHW.data)
        checksums[part] = digest.hexdigest()
    with atomic_write(folder / _INDEX) as file:
        file.write(json.dumps(checksums).encode())


def _open(folder: Path, parts: list[str]) -> dict[str, Tensor] | None:
    """The parts as tensors on mapped memory; None when the entry is not there, or damaged."""
    try:
        checksums = json.loads((folder / _INDEX).read_bytes())
        arrays = {part: _mapped(folder / f"{part}.npy", checksums[part]) for part in parts}
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError) as error:
        logger.warning("the cached pictures in %s are damaged and made again (%s)", folder, error)
        return None
    return {part: torch.from_numpy(array) for part, array in arrays.items()}


def _mapped(path: Path, sha256: str) -> NDArray[np.uint8]:
    array: NDArray[np.uint8] = mapped(path)
    digest = hashlib.sha256()
    hash_in_parts(digest, array.reshape(-1).data)
    if digest.hexdigest() != sha256:
        raise ValueError(f"{path.name} has another checksum")
    return array


def _in_memory(pictures: Sequence[Picture], height: int, width: int, channels: int) -> Tensor:
    images_NCHW = np.empty((len(pictures), channels, height, width), np.uint8)
    for number, image_CHW in enumerate(decode_all(pictures, height, width, channels)):
        images_NCHW[number] = image_CHW
    return torch.from_numpy(images_NCHW)
