"""Says which classes the pictures in a folder show, with a distilled student: `python predict.py student.onnx FOLDER`.

Needs onnxruntime and Pillow, and nothing else: `pip install onnxruntime pillow`. Prints a line of CSV for each picture:
its file, and for each class the probability that the student gives it; it says yes from 0.5 on.
"""

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from PIL import Image, ImageOps, UnidentifiedImageError

SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"}
BATCH = 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="student.onnx or student-int8.onnx")
    parser.add_argument("pictures", type=Path, help="a picture, or a folder (with all folders in it)")
    asked = parser.parse_args()
    if not asked.model.is_file():
        parser.error(f"there is no file {asked.model}")
    paths = find_pictures(asked.pictures)
    if not paths:
        parser.error(f"no pictures in {asked.pictures}: expected files ending in {', '.join(sorted(SUFFIXES))}")
    try:
        session = onnxruntime.InferenceSession(str(asked.model))
        classes = json.loads(session.get_modelmeta().custom_metadata_map["classes"])
    except Exception as error:  # onnxruntime has an error of its own for each thing that can be wrong with a file
        parser.error(f"{asked.model} is not a student with its classes: {type(error).__name__}: {error}")
    lines = csv.writer(sys.stdout)
    lines.writerow(["file", *classes])
    broken = 0
    for start in range(0, len(paths), BATCH):
        read = []
        for path in paths[start : start + BATCH]:
            try:
                read.append((path, read_picture(path, session.get_inputs()[0].shape)))
            except (OSError, UnidentifiedImageError, Image.DecompressionBombError) as error:
                print(f"{path} cannot be read: {error}", file=sys.stderr)
                broken += 1
        if read:
            for (path, _), chances in zip(read, probabilities(session, [pixels for _, pixels in read]), strict=True):
                lines.writerow([path, *(f"{chance:.4f}" for chance in chances)])
    return 1 if broken else 0


def find_pictures(place: Path) -> list[Path]:
    """The picture files at `place`, in order of their names."""
    files = [place] if place.is_file() else sorted(place.rglob("*"))
    return [path for path in files if path.suffix.lower() in SUFFIXES and path.is_file()]


def read_picture(path: Path, shape: list[Any]) -> Any:
    """Float pixels in [0, 1], [channels, height, width]: upright, resized as the student's training data was."""
    _, channels, height, width = shape
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("P", "PA"):
            upright = upright.convert("RGBA")
        plain = upright.convert("L" if channels == 1 else "RGB").resize((width, height), Image.Resampling.BILINEAR)
    pixels = np.asarray(plain, np.float32) / 255
    return pixels[None] if channels == 1 else pixels.transpose(2, 0, 1)


def probabilities(session: onnxruntime.InferenceSession, pictures: list[Any]) -> Any:
    """Sigmoid of the student's logits, [pictures, classes]."""
    (logits,) = session.run(None, {session.get_inputs()[0].name: np.stack(pictures)})
    return np.exp(-np.logaddexp(0, -logits.astype(np.float64)))


if __name__ == "__main__":
    sys.exit(main())
