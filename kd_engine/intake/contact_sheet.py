"""A page of thumbnails: a row a class. Shapes: H and W pixels, 3 channels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kd_engine.intake.inspect_image import THUMBNAIL
from kd_engine.platform.files import atomic_file

COLUMNS = 10
MOST_ROWS = 200
_GAP, _NAME = 4, 160  # pixels: between pictures, and for the name of a class


def is_shown(label: int, number: int) -> bool:
    """Whether the picture of that number, from 0, of a class has a place on the page; no other thumbnail is kept."""
    return label < MOST_ROWS and number < COLUMNS


def draw_sheet(classes: Sequence[str], thumbnails: Mapping[int, Sequence[NDArray[np.uint8]]], path: Path) -> None:
    """Writes the page as PNG, atomically; of more than 200 classes the first.

    Args:
        thumbnails: by label, uint8 `[64, 64, 3]` each.
    """
    rows = list(enumerate(classes))[:MOST_ROWS]
    step = THUMBNAIL + _GAP
    page = Image.new("RGB", (_NAME + COLUMNS * step, len(rows) * step + _GAP), "white")
    draw = ImageDraw.Draw(page)
    for row, (label, name) in enumerate(rows):
        top = _GAP + row * step
        draw.text((_GAP, top + THUMBNAIL // 2), _short(name), fill="black", anchor="lm")
        for column, pixels_HW3 in enumerate(thumbnails.get(label, ())[:COLUMNS]):
            page.paste(Image.fromarray(pixels_HW3), (_NAME + column * step, top))
    with atomic_file(path) as file:
        page.save(file, "PNG")


def _short(name: str) -> str:
    return name if len(name) <= 24 else name[:23] + "…"
