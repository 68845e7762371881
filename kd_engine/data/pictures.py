"""Picture files to pixels of one size, on all cores (Pillow decodes outside Python's lock).

Shapes: 3 channels, H and W pixels.
"""

from __future__ import annotations

import hashlib
import io
import logging
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.TiffImagePlugin import TILELENGTH, TILEWIDTH, TiffImageFile

from kd_engine.data.files import read
from kd_engine.errors import DataError, sentence
from kd_engine.signs import sign

logger = logging.getLogger(__name__)

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
_FORMATS = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")  # never one that runs another program, as EPS does
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # eight bits a value
_MOST_PIXELS = 100_000_000  # of one picture, and of all that are decoded at once: less than 1 GiB in memory
_MOST_SIDE = 65_535  # as JPEG can say
_COPIES = {"WEBP": 2}  # its reader keeps two pictures besides the one that it gives
_AT_A_TIME = 128  # pictures that are decoded before the next are begun: bounds the memory


@dataclass(frozen=True)
class Picture:
    """A file, what it is called in messages, and what it holds."""

    path: Path
    shown: str
    size: int
    sha256: str


def identify(paths: Sequence[tuple[Path, str]]) -> list[Picture]:
    """The files (each with what it is called in messages) and their checksums, in the same order.

    Raises:
        DataError: a file cannot be read.
    """
    with ThreadPoolExecutor(_threads()) as pool:
        found = []
        for picture in pool.map(lambda pair: _identify(*pair), paths):
            found.append(picture)
            sign("reading pictures")
        return found


def decode_all(pictures: Sequence[Picture], height: int, width: int) -> Iterator[NDArray[np.uint8]]:
    """uint8 `[3, H, W]` of each picture, in their order; tells its progress in the log.

    Raises:
        DataError: a file is not a picture, is broken, or has changed since it was identified.
    """
    with ThreadPoolExecutor(_threads()) as pool:
        for start in range(0, len(pictures), _AT_A_TIME):
            part = pictures[start : start + _AT_A_TIME]
            for image_CHW in pool.map(lambda picture: decode(picture, height, width), part):
                sign("decoding pictures")
                yield image_CHW
            done = start + len(part)
            if 10 * done // len(pictures) > 10 * start // len(pictures):  # a line a tenth
                logger.info("decoded %s of %s pictures", f"{done:,}", f"{len(pictures):,}")


def decode(picture: Picture, height: int, width: int) -> NDArray[np.uint8]:
    """uint8 `[3, H, W]`: turned upright as its camera noted, without its alpha, bilinear with antialiasing.

    Raises:
        DataError: the file is not a picture, is broken, or has changed since it was identified.
    """
    content = read(picture.path)
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise DataError(f"{picture.shown} was changed while it was read; start again once it stays as it is.")
    try:
        pixels_HWC = _pixels(content, height, width)
    except Exception as error:  # a broken picture may raise anything
        reason = str(error) or type(error).__name__
        raise DataError(f"{picture.shown} cannot be used: {sentence(reason)} Replace or delete the file.") from error
    return np.ascontiguousarray(pixels_HWC.transpose(2, 0, 1))


@contextmanager
def upright(content: bytes) -> Iterator[Image.Image]:
    """A picture file's content as RGB: turned as its camera noted, without its alpha. Of several frames the first.

    While the block lasts, other threads decode no more than what is left of so many pixels.

    Raises:
        ValueError: it is too large or not of eight bits a colour; a broken picture may raise anything.
    """
    try:
        opened = Image.open(io.BytesIO(content), formats=_FORMATS)
    except UnidentifiedImageError:  # whose own message names a place in memory
        raise ValueError(f"it is none of {', '.join(_FORMATS)}, by its content") from None
    with opened as image, _room(_pixels_of(image)):
        if image.mode not in _MODES:
            raise ValueError(f"its pixels are of mode '{image.mode}'; expected eight bits a colour")
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # most need no turning, and then nothing is copied
        if image.mode == "RGB":
            yield image
            return
        palette = image.mode in ("P", "PA")
        yield (image.convert("RGBA") if palette else image).convert("RGB")  # a palette may hold transparent colours


def _pixels_of(image: Image.Image) -> int:
    """What decoding it costs, in pixels: as many as it has, and twice as many where its reader keeps copies.

    Raises:
        ValueError: too many. Nothing was decoded yet: a file of 34 bytes may be of 100 million pixels.
    """
    width, height = image.size
    copies = _COPIES.get(image.format or "", 1)
    most = _MOST_PIXELS // copies
    if width * height > most:
        raise ValueError(f"it has {width} x {height} pixels; at most {most:,} are taken of {image.format}")
    if max(width, height) > _MOST_SIDE:  # each row costs memory, be it a pixel wide
        raise ValueError(f"it has {width} x {height} pixels; at most {_MOST_SIDE:,} are taken a side")
    tags = image.tag_v2 if isinstance(image, TiffImageFile) else {}
    if tags.get(TILEWIDTH, 1) * tags.get(TILELENGTH, 1) > _MOST_PIXELS:
        raise ValueError("it is made of tiles that are far larger than it is")
    return width * height * copies


_decoding = 0  # pixels, in all threads
_changed = threading.Condition()


@contextmanager
def _room(pixels: int) -> Iterator[None]:
    """Waits until no more than the most pixels of one picture are decoded at once."""
    global _decoding
    with _changed:
        _changed.wait_for(lambda: _decoding + pixels <= _MOST_PIXELS)
        _decoding += pixels
    try:
        yield
    finally:
        with _changed:
            _decoding -= pixels
            _changed.notify_all()


def _pixels(content: bytes, height: int, width: int) -> NDArray[np.uint8]:
    with upright(content) as image:
        return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


def _identify(path: Path, shown: str) -> Picture:
    content = read(path)
    return Picture(path, shown, len(content), hashlib.sha256(content).hexdigest())


def _threads() -> int:
    return torch.get_num_threads()  # this process's share of the cores
