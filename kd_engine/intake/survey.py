"""One picture of an upload: decoded once, and all that is wanted of its pixels taken from that.

Shapes: H and W pixels, 3 channels, 256 values.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from kd_engine.data.pictures import upright

THUMBNAIL = 64  # pixels a side
_AT_ONCE = 8  # pictures
_T = TypeVar("_T")
_R = TypeVar("_R")


@dataclass(frozen=True)
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


@dataclass(frozen=True)
class Broken:
    """Why a picture cannot be used."""

    why: str


def survey(content: bytes, thumbnail: bool) -> Survey | Broken:
    """Looks at one picture file. Whatever is wrong with it becomes its answer.

    Raises:
        MemoryError: there is too little for it here, which says nothing of the picture.
    """
    try:
        image = upright(content)
        small = np.asarray(ImageOps.pad(image, (THUMBNAIL, THUMBNAIL))) if thumbnail else None
        counts = np.array(image.histogram(), np.int64).reshape(3, 256)
        return Survey(
            image.height,
            image.width,
            hashlib.sha256(f"{image.size}".encode() + counts.tobytes()).hexdigest(),
            counts,
            small,
        )
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        return Broken(str(error))
    except Exception as error:  # a broken picture may raise anything
        return Broken(str(error) or type(error).__name__)


def pixel_sha256(content: bytes) -> str:
    """In hex, of the decoded pixels of a picture that `survey` has found to be one."""
    image = upright(content)
    return hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()


def in_threads(work: Callable[[_T], _R], items: Iterable[_T]) -> Iterator[tuple[_T, _R]]:
    """Each item with what `work` made of it, in order, on this process's share of the cores.

    Items are taken as they are needed: a few more than there are threads are in memory at a time.
    """
    threads = torch.get_num_threads()
    waiting: deque[Future[list[tuple[_T, _R]]]] = deque()
    source = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        # several at once: handing one over takes a tenth as long as decoding a small picture
        while part := list(islice(source, _AT_ONCE)):
            waiting.append(pool.submit(lambda part: [(item, work(item)) for item in part], part))
            if len(waiting) > 2 * threads:
                yield from waiting.popleft().result()
        for future in waiting:
            yield from future.result()
