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

from kd_engine.data.pictures import upright

THUMBNAIL = 64  # pixels a side
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
class Survey:
    """What a picture that can be decoded holds.

    Attributes:
        pixel_sha256: of the decoded pixels, in hex: equal pictures are found in whatever format they are.
        counts: how many pixels of each channel have each value, int64 `[3, 256]`.
        thumbnail: uint8 `[64, 64, 3]`, where one was asked for.
    """

    height: int
    width: int
    pixel_sha256: str
    counts: NDArray[np.int64]
    thumbnail: NDArray[np.uint8] | None = None


@dataclass(frozen=True)
class Broken:
    """Why a picture cannot be used."""

    why: str


def survey(content: bytes, thumbnail: bool) -> Survey | Broken:
    """Looks at one picture file. Whatever is wrong with it becomes its answer."""
    try:
        image = upright(content)
        small = np.asarray(ImageOps.pad(image, (THUMBNAIL, THUMBNAIL))) if thumbnail else None
        counts = np.array(image.histogram(), np.int64).reshape(3, 256)
        digest = hashlib.sha256(f"{image.size}".encode())
        digest.update(np.asarray(image).data)
        return Survey(image.height, image.width, digest.hexdigest(), counts, small)
    except Image.DecompressionBombError as error:
        return Broken(str(error))
    except Exception as error:  # a broken picture may raise anything
        return Broken(str(error) or type(error).__name__)


def in_threads(work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[tuple[_T, _R]]:
    """Each item with what `work` made of it, in order, on this process's share of the cores.

    Items are taken as they are needed: a few more than there are threads are in memory at a time.
    """
    threads = torch.get_num_threads()
    waiting: deque[tuple[_T, Future[_R]]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            waiting.append((item, pool.submit(work, item)))
            if len(waiting) >= 4 * threads:
                first, done = waiting.popleft()
                yield first, done.result()
        while waiting:
            first, done = waiting.popleft()
            yield first, done.result()
