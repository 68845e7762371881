"""Pictures that a user laid out in folders: train/CLASS/PICTURE, and val/ or test/ likewise: the test split."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
from torch import Tensor

from kd_engine.catalog.dataset_params import ImageFolderParams, held_split, inside
from kd_engine.data.dataset import RawData
from kd_engine.data.picture_cache import load_pictures
from kd_engine.data.pictures import SUFFIXES, Picture, identify
from kd_engine.errors import DataError

logger = logging.getLogger(__name__)

_Listing = dict[str, list[tuple[Path, str]]]  # by class: the pictures, and what each is called in messages


def read(data_dir: Path, params: ImageFolderParams, cache_dir: Path | None) -> RawData:
    """All pictures at the size that `params` asks for; classes by name, and the pictures of a class by name.

    Raises:
        DataError: a folder is missing or empty, a link leads out of it, or a file cannot be used.
        DiskFullError: no room for the cache.
    """
    absence = params.absence(data_dir)
    root = inside(data_dir, params.folder)
    if absence is not None or root is None:
        raise DataError(absence or f"the folder '{params.folder}' leads out of KD_DATA_DIR.")
    train, test = (_list(root, names, params.folder) for names in (("train",), ("val", "test")))
    classes = tuple(sorted(train))
    _check_classes(params.folder, classes, tuple(sorted(test)))
    parts = {part: _identify(listing) for part, listing in (("train", train), ("test", test))}
    images = load_pictures(parts, params.height, params.width, cache_dir)
    return RawData(
        images["train"], _labels(train, classes), images["test"], _labels(test, classes), classes=classes
    )  # fmt: skip


def _list(root: Path, names: tuple[str, ...], folder: str) -> _Listing:
    """The pictures by class of the first of these folders that is there."""
    split = held_split(root, names)
    assert split is not None, "its presence was checked"
    shown = f"{folder}/{split.name}"
    classes = [entry for entry in _entries(split, root, shown) if entry.is_dir()]
    found = {entry.name: _pictures(Path(entry.path), root, f"{shown}/{entry.name}") for entry in classes}
    if not found:
        raise DataError(f"{shown} holds no folders; expected one for each class, with pictures in it.")
    return found


def _pictures(folder: Path, root: Path, shown: str) -> list[tuple[Path, str]]:
    files = [entry for entry in _entries(folder, root, shown) if entry.is_file()]
    found = [(Path(entry.path), f"{shown}/{entry.name}") for entry in files if entry.name.lower().endswith(SUFFIXES)]
    if len(found) < len(files):
        logger.warning("%s: %d files are not pictures by their names and are left out", shown, len(files) - len(found))
    if not found:
        raise DataError(f"{shown} holds no pictures; expected files that end in {', '.join(SUFFIXES)}.")
    return found


def _entries(folder: Path, root: Path, shown: str) -> list[os.DirEntry[str]]:
    """What is not hidden in a folder, by name."""
    with os.scandir(folder) as entries:
        found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in found:
        if not entry.name.isprintable():
            raise DataError(f"{shown} holds a name with characters that cannot be shown: {entry.name!r}. Rename it.")
    if any(_leads_out(Path(entry.path), root) for entry in found if entry.is_symlink()) or _leads_out(folder, root):
        raise DataError(f"{shown} is or holds a link that leads out of its data set; put the files there instead.")
    return found


def _leads_out(path: Path, root: Path) -> bool:
    try:
        return not path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # nothing there, or a loop
        return True


def _check_classes(folder: str, train: tuple[str, ...], test: tuple[str, ...]) -> None:
    if len(train) < 2:
        raise DataError(f"{folder}/train holds one class, '{train[0]}'; expected at least two.")
    strange = sorted(set(test) - set(train))
    if strange:
        raise DataError(f"{folder} is tested on classes that train does not have: {', '.join(strange[:5])}.")


def _identify(listing: _Listing) -> list[Picture]:
    return identify([picture for name in sorted(listing) for picture in listing[name]])


def _labels(listing: _Listing, classes: tuple[str, ...]) -> Tensor:
    return torch.tensor([classes.index(name) for name in sorted(listing) for _ in listing[name]], dtype=torch.int64)
