"""Small archives of real pictures, and hostile ones, for the tests of the intake."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int = 0, height: int = 24, width: int = 36, form: str = "PNG") -> bytes:
    """A picture file of noise."""
    pixels_HWC = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels_HWC).save(file, form)
    return file.getvalue()


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path: Path, files: Mapping[str, bytes], mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def by_class(pictures: int = 10, classes: tuple[str, ...] = ("cat", "dog"), prefix: str = "") -> dict[str, bytes]:
    """CLASS/N.png, every picture another."""
    return {
        f"{prefix}{name}/{number:02}.png": picture(1000 * label + number)
        for label, name in enumerate(classes)
        for number in range(pictures)
    }
