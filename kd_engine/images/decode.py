"""Picture files to pixels of one size, on all cores (Pillow decodes outside Python's lock).

Shapes: C channels (3, or 1 for grey), H and W pixels.
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

from kd_engine.images.file_kinds import HEAD, is_picture
from kd_engine.platform.heartbeat import sign
from kd_engine.platform.verified_files import read
from kd_engine.schema.errors import DataError, sentence

logger = logging.getLogger(__name__)

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tga", ".tif", ".tiff", ".webp")
# never one that runs another program, as EPS does
_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")  # eight bits a value
_MODES_16 = ("I;16", "I;16B", "I;16L", "I;16N")  # grey
_HEIF = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_TGA_KINDS, _TGA_BITS = (1, 2, 3, 9, 10, 11), (8, 15, 16, 24, 32)
_MOST_PIXELS = 100_000_000  # of one picture, and of all that are decoded at once: less than 1 GiB in memory
_MOST_SIDE = 65_535  # as JPEG can say
# what a format's reader holds besides the picture that it gives, in pictures: that of JPEG 2000 four bytes a value
_COPIES = {"WEBP": 2, "AVIF": 4, "JPEG2000": 8}
_ROWS_PIXELS = 2**22  # that are put on white at once
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


def decode_all(pictures: Sequence[Picture], height: int, width: int, channels: int = 3) -> Iterator[NDArray[np.uint8]]:
    """uint8 `[C, H, W]` of each picture, in their order; tells its progress in the log.

    Raises:
        DataError: a file is not a picture, is broken, or has changed since it was identified.
    """
    with ThreadPoolExecutor(_threads()) as pool:
        for start in range(0, len(pictures), _AT_A_TIME):
            part = pictures[start : start + _AT_A_TIME]
            for image_CHW in pool.map(lambda picture: decode(picture, height, width, channels), part):
                sign("decoding pictures")
                yield image_CHW
            done = start + len(part)
            if 10 * done // len(pictures) > 10 * start // len(pictures):  # a line a tenth
                logger.info("decoded %s of %s pictures", f"{done:,}", f"{len(pictures):,}")


def decode(picture: Picture, height: int, width: int, channels: int = 3) -> NDArray[np.uint8]:
    """uint8 `[C, H, W]`: turned upright as its camera noted, on white, bilinear with antialiasing.

    Args:
        channels: 3, or 1 for grey.

    Raises:
        DataError: the file is not a picture, is broken, or has changed since it was identified.
    """
    content = read(picture.path)
    if hashlib.sha256(content).hexdigest() != picture.sha256:
        raise DataError(f"{picture.shown} was changed while it was read; start again once it stays as it is.")
    try:
        pixels_HWC = _pixels(content, height, width, channels)
    except Exception as error:  # a broken picture may raise anything
        reason = str(error) or type(error).__name__
        raise DataError(f"{picture.shown} cannot be used: {sentence(reason)} Replace or delete the file.") from error
    return np.ascontiguousarray(pixels_HWC.transpose(2, 0, 1))


@contextmanager
def upright(content: bytes) -> Iterator[Image.Image]:
    """A picture file's content as RGB: turned as its camera noted, what shows through on white. Of several frames the
    first; of 16 bits a value the upper eight.

    While the block lasts, other threads decode no more than what is left of so many pixels.

    Raises:
        ValueError: it is too large or of other numbers than those; a broken picture may raise anything.
    """
    try:
        opened = Image.open(io.BytesIO(content), formats=("TGA",) if _may_be_tga(content) else _FORMATS)
    except UnidentifiedImageError:  # whose own message names a place in memory
        if content[4:8] == b"ftyp" and content[8:12] in _HEIF:
            raise ValueError("it is HEIC, as phones save it, which is not read here; save it as JPEG or PNG") from None
        raise ValueError(f"it is none of {', '.join(_FORMATS)}, by its content") from None
    with opened as image, _room(_pixels_of(image)):
        is_16_bits = image.mode in _MODES_16 or (image.mode == "I" and image.format in ("PPM", "PNG", "JPEG2000"))
        if image.mode not in _MODES and not is_16_bits:
            raise ValueError(f"its pixels are of mode '{image.mode}'; expected eight bits a colour, or 16 of grey")
        image.load()
        ImageOps.exif_transpose(image, in_place=True)  # most need no turning, and then nothing is copied
        if image.mode == "RGB" and "transparency" not in image.info:
            yield image
        else:
            yield _upper_bits(image) if is_16_bits else _on_white(image)


def _may_be_tga(content: bytes) -> bool:
    """By its header, as it has no magic number: the kinds of colour map and of pixels, sides, bits a pixel."""
    if len(content) < 18 or is_picture(content[:HEAD]):
        return False
    sides = int.from_bytes(content[12:14], "little"), int.from_bytes(content[14:16], "little")
    return content[1] <= 1 and content[2] in _TGA_KINDS and content[16] in _TGA_BITS and min(sides) > 0


def _upper_bits(image: Image.Image) -> Image.Image:
    """As Pillow takes colours of 16 bits."""
    values_HW = np.asarray(image)
    return Image.fromarray((np.clip(values_HW, 0, 65_535) >> 8).astype(np.uint8)).convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    """As RGB. What a picture holds under full transparency is arbitrary, and often black."""
    if image.mode not in ("P", "PA", "LA", "RGBA") and "transparency" not in image.info:
        return image.convert("RGB")
    shown = image if image.mode == "RGBA" else image.convert("RGBA")
    if shown.getchannel("A").getextrema()[0] != 255:
        rows = max(1, _ROWS_PIXELS // shown.width)
        for top in range(0, shown.height, rows):
            box = (0, top, shown.width, min(top + rows, shown.height))
            white = Image.new("RGBA", (shown.width, box[3] - top), "white")
            shown.paste(Image.alpha_composite(white, shown.crop(box)), box)
    return shown.convert("RGB")


def _pixels_of(image: Image.Image) -> int:
    """What decoding it costs, in pixels: as many as it has, and twice as many where its reader keeps copies.

    Raises:
        ValueError: too many. Nothing was decoded yet: a file of 34 bytes may be of 100 million pixels.
    """
    width, height = image.size
    copies = 2 if image.info.get("progressive") else 1  # of such a JPEG all coefficients are kept until the last scan
    copies = max(
        copies, _COPIES.get(image.format or "", 1), {"I": 4}.get(image.mode, 2 if image.mode in _MODES_16 else 1)
    )
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


def _pixels(content: bytes, height: int, width: int, channels: int) -> NDArray[np.uint8]:
    with upright(content) as image:
        resized = image.resize((width, height), Image.Resampling.BILINEAR)
        return np.asarray(resized) if channels == 3 else np.asarray(resized.convert("L"))[..., None]


def _identify(path: Path, shown: str) -> Picture:
    content = read(path)
    return Picture(path, shown, len(content), hashlib.sha256(content).hexdigest())


def _threads() -> int:
    return torch.get_num_threads()  # this process's share of the cores
