"""Every reader of what users send, and how much memory it may take of a small file, whatever that says of itself.

Whoever adds a reader adds its row here and its lies in a file `lies_*.py` beside this one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from kd_engine.data.dataset import RawData
from kd_engine.intake.archive import Archive
from kd_engine.intake.arrays import check_arrays, check_named
from kd_engine.intake.folder_layout import lay_out
from kd_engine.intake.formats import Format, sniff
from kd_engine.intake.images import check_pictures
from kd_engine.intake.inspect_onnx import look
from kd_engine.intake.list_columns import Asked
from kd_engine.intake.list_layout import lay_out_with_lists
from kd_engine.intake.logits_file import recorded_logits
from kd_engine.intake.nested import opened
from kd_engine.intake.onnx_file import onnx_network
from kd_engine.intake.onnx_zip import in_one
from kd_engine.intake.parquet import PictureTable
from kd_engine.intake.parquet_shards import tables_of
from kd_engine.intake.publishers import arrays_of
from kd_engine.intake.webdataset import lay_out_samples
from kd_engine.intake.weights_file import network_of, own_network
from kd_engine.networks.network import Architecture

MIB = 2**20


@dataclass(frozen=True)
class Reader:
    """
    Attributes:
        format: as `sniff` calls it.
        read: the file, to files in a folder.
        bound: bytes of memory beyond what is there before.
    """

    format: Format
    read: Callable[[Path, Path], object]
    bound: int


def _archive(path: Path, out: Path, *, is_tar: bool) -> None:
    archive = Archive(path, is_tar=is_tar)
    check_pictures(archive, lay_out(archive.members, 0.2), out, broken="refuse")


def _listed(path: Path, out: Path) -> None:
    archive = Archive(path, is_tar=False)
    layout = lay_out_with_lists(archive, archive.members, 0.2, asked=Asked(), packed=path.stat().st_size)
    check_pictures(archive, layout, out, broken="refuse")


def _published(path: Path, out: Path, *, is_tar: bool) -> None:
    given = arrays_of(Archive(path, is_tar=is_tar))
    assert given is not None
    check_named(given.arrays, out, packed=path.stat().st_size, test_share=0.2)


def _sniffed(path: Path, _: Path) -> None:
    with path.open("rb") as file:
        sniff(file)


def _table(path: Path, out: Path) -> None:
    table = PictureTable.alone(path)
    check_pictures(table, table.layout(0.2), out, broken="refuse")


def _table_of_lists(path: Path, out: Path) -> None:
    table = PictureTable.alone(path, several=True)
    check_pictures(table, table.layout(0.2), out, broken="refuse")


def _nested(path: Path, out: Path) -> None:
    with opened(path, out, is_tar=False) as archive:
        layout = lay_out_samples(archive, 0.2) or lay_out(archive.members, 0.2)
        check_pictures(archive, layout, out, broken="refuse")


def _shards(path: Path, out: Path) -> None:
    tables = tables_of(Archive(path, is_tar=False))
    assert tables is not None
    with tables.unpacked(out) as shards:
        table = PictureTable(shards, path.stat().st_size)
        check_pictures(table, table.layout(0.2), out, broken="refuse")


CLASSES = tuple(str(label) for label in range(10))
DATA: Any = SimpleNamespace(
    shape=(1, 8, 8), classes=CLASSES, task="image_classification"
)  # what the readers of weights look at
MLP = Architecture("mlp", {}, (1, 8, 8), CLASSES, (0.0,), (1.0,))


def _logits(path: Path, _: Path) -> None:
    images, labels = torch.zeros(2, 1, 8, 8, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64)
    recorded_logits(path, RawData(images, labels, images, labels), tuple(range(len(CLASSES))))


def _onnx(path: Path, **options: Any) -> None:
    onnx_network(path, torch.zeros(4, 1, 8, 8), CLASSES, **options)


def _looked_into(path: Path, _: Path) -> None:
    images = torch.zeros(4, 1, 8, 8)
    list(look(images.numpy().tobytes(), path=str(path), shape=list(images.shape), classes=list(CLASSES), threads=1))


READERS = {
    "sniff": Reader("unknown", _sniffed, 8 * MIB),
    "zip": Reader("zip", lambda path, out: _archive(path, out, is_tar=False), 16 * MIB),
    "tar": Reader("tar", lambda path, out: _archive(path, out, is_tar=True), 16 * MIB),
    # of those that are taken here: a pixel costs nine bytes at most, and there may be 100 million
    "picture": Reader("zip", lambda path, out: _archive(path, out, is_tar=False), 256 * MIB),
    "npz": Reader("npz", lambda path, out: check_arrays(path, out, test_share=0.2), 192 * MIB),
    "idx": Reader("zip", lambda path, out: _published(path, out, is_tar=False), 192 * MIB),
    "svhn": Reader("zip", lambda path, out: _published(path, out, is_tar=False), 192 * MIB),
    "cifar": Reader("tar", lambda path, out: _published(path, out, is_tar=True), 192 * MIB),
    # in a process of its own: beside its limit there are Python and the libraries
    "list": Reader("zip", _listed, (256 + 8 * 64 + 256) * MIB),
    "parquet": Reader("parquet", _table, (512 + 256) * MIB),
    "parquet, of lists": Reader("parquet", _table_of_lists, (512 + 256) * MIB),
    # with labels beside pictures: objects of JSON take sixty times their text, of which there is 1 MiB
    "archives in an archive": Reader("zip", _nested, 80 * MIB),
    "tables in an archive": Reader("zip", _shards, (512 + 256) * MIB),
    "onnx": Reader("onnx", lambda path, _: _onnx(path), (2048 + 256) * MIB),
    "onnx, for a second": Reader("onnx", lambda path, _: _onnx(path, seconds=1), (2048 + 256) * MIB),
    "onnx, with its weights": Reader("onnx", lambda path, _: in_one(path), 64 * MIB),
    "onnx, looked into": Reader("onnx", _looked_into, 64 * MIB),
    "safetensors": Reader("safetensors", lambda path, _: own_network(path, DATA), 32 * MIB),
    "safetensors, named": Reader("safetensors", lambda path, _: network_of(path, MLP), 32 * MIB),
    "logits": Reader("npz", _logits, 192 * MIB),
}
