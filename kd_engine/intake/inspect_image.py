"""One picture of an upload: decoded once, and all that is wanted of its pixels taken from that.

Shapes: H and W pixels, 3 channels, 256 values.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from kd_engine.images.decode import upright
from kd_engine.platform.heartbeat import sign

THUMBNAIL = 64  # pixels a side
_AT_ONCE = 8  # pictures
_PART_BYTES = 2**23  # and no more, of files
_WAITING_BYTES = 2**28  # of files that were read and are not done with
_HASHED_PIXELS = 2**22  # at once: a copy of them is made
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True, slots=True)
class Survey:
    """What a picture that can be decoded holds.

    Attributes:
        key: the same for equal pictures, whatever format they are in, and for few others: the hash of size and
            `counts`, as that of all pixels takes a tenth as long as decoding them.
        counts: how many pixels of each channel have each value, int64 `[3, 256]`.
        thumbnail: uint8 `[64, 64, 3]`, where one was asked for.
    """

    height: int
    width: int
    key: str
    counts: NDArray[np.int64]
    thumbnail: NDArray[np.uint8] | None = None


@dataclass(frozen=True, slots=True)
class Broken:
    """Why a picture cannot be used."""

    why: str


def survey(content: bytes, thumbnail: bool) -> Survey | Broken:
    """Looks at one picture file. Whatever is wrong with it becomes its answer.

    Raises:
        MemoryError: there is too little for it here, which says nothing of the picture.
    """
    try:
        with upright(content) as image:
            small = np.asarray(ImageOps.pad(image, (THUMBNAIL, THUMBNAIL))) if thumbnail else None
            counts = np.array(image.histogram(), np.int64).reshape(3, 256)
            size = image.size
        key = hashlib.sha256(f"{size}".encode() + counts.tobytes()).hexdigest()
        return Survey(size[1], size[0], key, counts, small)
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        return Broken(str(error))
    except Exception as error:  # a broken picture may raise anything
        return Broken(str(error) or type(error).__name__)


def pixel_sha256(content: bytes) -> str:
    """In hex, of the decoded pixels of a picture that `survey` has found to be one."""
    with upright(content) as image:
        digest = hashlib.sha256(f"{image.size}".encode())
        rows = max(1, _HASHED_PIXELS // image.width)
        for top in range(0, image.height, rows):
            digest.update(image.crop((0, top, image.width, min(top + rows, image.height))).tobytes())
        return digest.hexdigest()


def in_threads(work: Callable[[_T], _R], items: Iterable[_T], size: Callable[[_T], int]) -> Iterator[tuple[_T, _R]]:
    """Each item with what `work` made of it, in order, on this process's share of the cores.

    Items are taken as they are needed: a few more than there are threads are in memory at a time, and of large ones
    fewer.

    Args:
        size: of an item, in bytes.
    """
    threads = torch.get_num_threads()
    waiting: deque[tuple[Future[list[tuple[_T, _R]]], int]] = deque()
    held = 0
    with ThreadPoolExecutor(threads) as pool:
        for part, part_bytes in _parts(items, size):
            sign("looking at pictures")
            waiting.append((pool.submit(lambda part: [(item, work(item)) for item in part], part), part_bytes))
            held += part_bytes
            while len(waiting) > 2 * threads or (held > _WAITING_BYTES and waiting):
                future, done_bytes = waiting.popleft()
                held -= done_bytes
                yield from future.result()
        for future, _ in waiting:
            yield from future.result()


def _parts(items: Iterable[_T], size: Callable[[_T], int]) -> Iterator[tuple[list[_T], int]]:
    """Several at once: handing one over takes a tenth as long as decoding a small picture."""
    part: list[_T] = []
    part_bytes = 0
    for item in items:
        part.append(item)
        part_bytes += size(item)
        if len(part) == _AT_ONCE or part_bytes > _PART_BYTES:
            yield part, part_bytes
            part, part_bytes = [], 0
    if part:
        yield part, part_bytes
