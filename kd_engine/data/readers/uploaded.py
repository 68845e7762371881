"""A data set that was sent and checked: unpacked once, and then read as a folder of pictures or as arrays."""

from __future__ import annotations

import json
import logging
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import torch

from kd_engine.catalog import TASKS, UNPACKED
from kd_engine.catalog.dataset_params import ArraysParams, ImageFolderParams, UploadedParams
from kd_engine.catalog.datasets import LABEL_SETS
from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION
from kd_engine.data.dataset import RawData
from kd_engine.data.readers import arrays, image_folder
from kd_engine.platform.files import DISK_FULL, sha256_of
from kd_engine.platform.heartbeat import sign
from kd_engine.schema.errors import DataError, DiskFullError

logger = logging.getLogger(__name__)


def read(file: Path, params: UploadedParams, cache_dir: Path | None) -> RawData:
    """The images and labels of the checked file; its folders and names are this project's own.

    Args:
        cache_dir: where it is unpacked, once for all runs; a temporary folder for this run, if None.

    Raises:
        DataError: it is not the file that was checked.
        DiskFullError: no room to unpack it.
    """
    if params.layout == "arrays":
        if sha256_of(file) != params.sha256:
            raise DataError(_CHANGED)
        return arrays.read(
            file.parent, ArraysParams(path=file.name, classes=params.classes, task=params.task), cache_dir
        )
    with _unpacked(file, params.sha256, cache_dir) as folder:
        grey = params.channels if params.channels == 1 else None
        shown = ImageFolderParams(folder=folder.name, height=params.height, width=params.width, channels=grey)
        raw = image_folder.read(folder.parent, shown, cache_dir, any_folders=True)
        if TASKS[params.task or IMAGE_CLASSIFICATION].several:
            raw = _several(raw, folder / LABEL_SETS, len(params.classes))
    # folders are called by label: what users call their classes is no path
    return replace(raw, classes=params.classes)


_CHANGED = "the stored file of the data set is damaged: its sha256 is not that of the check. Send the data set again."


def _several(raw: RawData, sets: Path, classes: int) -> RawData:
    """The same with a row of 0 and 1 a picture, from what the folder that it lies in stands for."""
    assert raw.classes is not None, "these are the folders"
    listed = json.loads(sets.read_text())
    rows_FK = torch.zeros(len(raw.classes), classes, dtype=torch.uint8)
    for row, folder in zip(rows_FK, raw.classes, strict=True):
        row[listed[int(folder)]] = 1
    held = raw.validation_labels
    return replace(
        raw,
        train_labels=rows_FK[raw.train_labels],
        test_labels=rows_FK[raw.test_labels],
        validation_labels=None if held is None else rows_FK[held],
    )


@contextmanager
def _unpacked(file: Path, sha256: str, cache_dir: Path | None) -> Iterator[Path]:
    if cache_dir is None:
        with tempfile.TemporaryDirectory() as parent:
            yield _unpack(file, sha256, Path(parent) / sha256)
        return
    folder = cache_dir / UNPACKED / sha256
    yield folder if folder.is_dir() else _unpack(file, sha256, folder)


def _as_data(member: tarfile.TarInfo, folder: str) -> tarfile.TarInfo | None:
    """tarfile's own filter of that name."""
    sign("unpacking the data set")
    return tarfile.data_filter(member, folder)


def _unpack(file: Path, sha256: str, folder: Path) -> Path:
    """Beside its place first, so that a folder that is there is whole; two runs at once do the same."""
    if sha256_of(file) != sha256:
        raise DataError(_CHANGED)
    logger.info("unpacking the data set, once for all runs")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name[:8]}-", suffix=".part"))
    try:
        with tarfile.open(file, "r:") as archive:
            archive.extractall(beside, filter=_as_data)
        beside.chmod(0o755)
        os.rename(beside, folder)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError("no room to unpack the data set: free some space under KD_CACHE_DIR.") from error
        if not folder.is_dir():  # otherwise another run was faster
            raise
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return folder
