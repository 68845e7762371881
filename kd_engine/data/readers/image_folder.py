"""Pictures that a user laid out in folders: train/CLASS/PICTURE, and test/ and val/ likewise.

Of those two there may be one alone: then it is the test split, and validation is held out of train.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path

import torch
from torch import Tensor

from kd_engine.catalog.dataset_params import ImageFolderParams, held_folders, held_split, inside
from kd_engine.data.dataset import RawData
from kd_engine.images.decode import SUFFIXES, Picture, identify
from kd_engine.images.decode_cache import load_pictures
from kd_engine.images.file_kinds import HEAD, MOST_LOST, is_picture, is_text
from kd_engine.platform.file_names import has_controls, in_order, one_spelling
from kd_engine.schema.errors import DataError

logger = logging.getLogger(__name__)

_Listing = dict[str, list[tuple[Path, str]]]  # by class: the pictures, and what each is called in messages


def read(data_dir: Path, params: ImageFolderParams, cache_dir: Path | None, *, any_folders: bool = False) -> RawData:
    """All pictures at the size that `params` asks for; classes by name, and the pictures of a class by name.

    Args:
        any_folders: there may be one alone, and some with nothing in train: they stand for more than a class.

    Raises:
        DataError: a folder is missing or empty, a link leads out of it, or a file cannot be used.
        DiskFullError: no room for the cache.
    """
    absence = params.absence(data_dir)
    root = inside(data_dir, params.folder)
    if absence is not None or root is None:
        raise DataError(absence or f"the folder '{params.folder}' leads out of KD_DATA_DIR.")
    folders = {"train": held_split(root, ("train",)), **held_folders(root)}
    listings = {part: _list(split, root, params.folder) for part, split in folders.items() if split is not None}
    names = {name for listing in listings.values() for name in listing}
    classes = tuple(in_order(names if any_folders else listings["train"]))
    if not any_folders:
        _check_classes(params.folder, classes, names)
    parts = {part: _identify(listing) for part, listing in listings.items()}
    images = load_pictures(parts, params.height, params.width, cache_dir, params.channels or 3)
    labels = {part: _labels(listing, classes) for part, listing in listings.items()}
    return RawData(
        images["train"], labels["train"], images["test"], labels["test"], classes, images.get("validation"),
        labels.get("validation"),
    )  # fmt: skip


def _list(split: Path, root: Path, folder: str) -> _Listing:
    """The pictures by class of one of its folders."""
    shown = f"{folder}/{split.name}"
    classes = [entry for entry in _entries(split, root, shown) if entry.is_dir()]
    found: _Listing = {}
    for entry in classes:
        name = one_spelling(entry.name)
        if name in found:
            raise DataError(f"{shown} holds two folders that are both called '{name}'; put their pictures into one.")
        found[name] = _pictures(Path(entry.path), root, f"{shown}/{entry.name}")
    if not found:
        raise DataError(
            f"{shown} holds no folders; expected one for each class, with pictures in it. Where a list beside the "
            "pictures names their classes, pack all of it and send it with POST /datasets."
        )
    return found


def _pictures(folder: Path, root: Path, shown: str) -> list[tuple[Path, str]]:
    files = [entry for entry in _entries(folder, root, shown) if entry.is_file()]
    found, lost = [], []
    for entry in files:
        head = b"" if entry.name.lower().endswith(SUFFIXES) else _head(Path(entry.path))
        if head is None or (head and not is_picture(head)):
            lost += [entry.name] if head is not None and not is_text(head) else []
            continue
        found.append((Path(entry.path), f"{shown}/{entry.name}"))
    if len(found) < len(files):
        logger.warning("%s: %d files are no pictures by their content and left out", shown, len(files) - len(found))
    if not found or len(lost) > MOST_LOST * (len(lost) + len(found)):
        raise DataError(
            f"{shown} holds {len(found) or 'no'} pictures, and {len(files) - len(found)} files that are none by their "
            f"content{': ' if lost else ''}{', '.join(lost[:5])}; save them as PNG or JPEG, or delete them."
        )
    return found


def _head(path: Path) -> bytes | None:
    """The first bytes of a file that is not empty."""
    try:
        with path.open("rb") as file:
            return file.read(HEAD) or None
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror or error}.") from error


def _entries(folder: Path, root: Path, shown: str) -> list[os.DirEntry[str]]:
    """What is not hidden in a folder, by name."""
    with os.scandir(folder) as entries:
        found = sorted((entry for entry in entries if not entry.name.startswith(".")), key=lambda entry: entry.name)
    for entry in found:
        if has_controls(entry.name):
            raise DataError(f"{shown} holds a name with control characters: {entry.name!r}. Rename it.")
    if any(_leads_out(Path(entry.path), root) for entry in found if entry.is_symlink()) or _leads_out(folder, root):
        raise DataError(f"{shown} is or holds a link that leads out of its data set; put the files there instead.")
    return found


def _leads_out(path: Path, root: Path) -> bool:
    try:
        return not path.resolve(strict=True).is_relative_to(root)
    except (OSError, RuntimeError):  # nothing there, or a loop
        return True


def _check_classes(folder: str, train: tuple[str, ...], found: set[str]) -> None:
    if len(train) < 2:
        raise DataError(f"{folder}/train holds one class, '{train[0]}'; expected at least two.")
    strange = in_order(found - set(train))
    if strange:
        raise DataError(f"{folder} is tested on classes that train does not have: {', '.join(strange[:5])}.")


def _identify(listing: _Listing) -> list[Picture]:
    return identify([picture for name in in_order(listing) for picture in listing[name]])


def _labels(listing: _Listing, classes: tuple[str, ...]) -> Tensor:
    index = {name: label for label, name in enumerate(classes)}
    return torch.tensor([index[name] for name in in_order(listing) for _ in listing[name]], dtype=torch.int64)
