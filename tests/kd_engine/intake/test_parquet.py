"""Parquet tables of pictures."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kd_engine.intake import parquet as module
from kd_engine.intake.images import WhatOfBroken, check_pictures
from kd_engine.intake.parquet import PictureTable
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.archives import picture

PICTURES = [picture(number) for number in range(20)]
LABELS = [number % 2 for number in range(20)]


def _write(path: Path, columns: dict[str, Any], names: list[str] | None = None) -> Path:
    table = pa.table(columns)
    if names is not None:
        about = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    pq.write_table(table, path, row_group_size=7)
    return path


def _check(path: Path, out: Path, broken: WhatOfBroken = "refuse") -> dict[str, Any]:
    table = PictureTable.alone(path)
    out.mkdir(exist_ok=True)
    return check_pictures(table, table.layout(0.2), out, broken=broken).model_dump(mode="json")


def test_a_table_as_hubs_publish_it(tmp_path: Path) -> None:
    images = [{"bytes": content, "path": f"{number}.png"} for number, content in enumerate(PICTURES)]
    path = _write(tmp_path / "a.parquet", {"image": images, "label": LABELS}, ["zebra", "ant"])
    manifest = _check(path, tmp_path / "out")
    assert manifest["classes"] == ["zebra", "ant"]
    assert manifest["splits"] == {
        "train": {"images": 16, "by_class": [8, 8]}, "test": {"images": 4, "by_class": [2, 2]},
    }  # fmt: skip
    assert "says no splits" in manifest["notes"][0]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary()])
def test_plain_bytes_texts_and_a_split(tmp_path: Path, kind: pa.DataType) -> None:
    columns = {
        "picture": pa.array(PICTURES, kind),
        "animal": ["cat" if label else "dog" for label in LABELS],
        "split": ["train"] * 15 + ["validation"] * 5,
    }
    manifest = _check(_write(tmp_path / "a.parquet", columns), tmp_path / "out")
    assert manifest["classes"] == ["cat", "dog"]
    assert manifest["splits"]["train"] == {"images": 15, "by_class": [7, 8]}
    rows = (tmp_path / "out" / "samples.csv").read_text().splitlines()
    assert rows[1] == "train,0,cat,row 1.png"


def test_each_row_is_of_the_split_that_it_says(tmp_path: Path) -> None:
    splits = ["train"] * 10 + ["validation"] * 6 + ["test"] * 4
    path = _write(tmp_path / "a.parquet", {"image": PICTURES, "label": LABELS, "split": splits})
    found = _check(path, tmp_path / "out")["splits"]
    assert {name: split["images"] for name, split in found.items()} == {"train": 10, "validation": 6, "test": 4}


def test_numbers_without_names_are_their_own(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", {"image": PICTURES, "label": [10 if label else 9 for label in LABELS]})
    assert _check(path, tmp_path / "out")["classes"] == ["9", "10"]


def test_broken_rows_are_named(tmp_path: Path) -> None:
    images = [*PICTURES[:18], b"nothing", None]
    path = _write(tmp_path / "a.parquet", {"image": pa.array(images, pa.binary()), "label": LABELS})
    with pytest.raises(DataError, match=r"2 of 20 pictures cannot be used: row 18\.png .*row 19\.png"):
        _check(path, tmp_path / "out")
    assert _check(path, tmp_path / "out", "skip")["broken"]["count"] == 2


def test_a_name_that_many_rows_have_is_held_once(tmp_path: Path) -> None:
    names = ["x" * 999 + end for end in "ab"]
    path = _write(tmp_path / "a.parquet", {"image": pa.nulls(20_000, pa.binary()), "label": names * 10_000})
    tracemalloc.start()
    PictureTable.alone(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize(("columns", "names", "message"), [
    ({"label": LABELS}, None, "0 columns of pictures"),
    ({"image": PICTURES, "other": PICTURES, "label": LABELS}, None, "2 columns of pictures"),
    ({"image": PICTURES}, None, "expected one called 'label'"),
    ({"image": PICTURES, "a": LABELS, "b": LABELS}, None, "expected one called 'label'"),
    ({"image": PICTURES, "label": [1] * 20}, None, "one class, 1"),
    ({"image": PICTURES, "label": [None, *LABELS[1:]]}, None, "1 of 20 rows have no 'label'"),
    ({"image": PICTURES, "label": LABELS, "split": ["train"] * 20}, None, "neither test nor validation"),
    ({"image": PICTURES, "label": LABELS, "split": ["extra"] * 20}, None, "holds 'extra'"),
    ({"image": PICTURES, "label": LABELS}, ["a", "b", "c"], "no row of 'c'"),
    ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.int64())}, None, "0 rows"),
])  # fmt: skip
def test_what_is_no_data_set_is_told(
    tmp_path: Path, columns: dict[str, Any], names: list[str] | None, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        _check(_write(tmp_path / "a.parquet", columns, names), tmp_path / "out")


def test_a_table_that_breaks_off_is_told(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.parquet", {"image": PICTURES, "label": LABELS})
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(DataError, match="table cannot be read"):
        PictureTable.alone(path)


def test_one_picture_a_million_times_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Equal values are kept once in the file, and would be written out one by one."""
    monkeypatch.setattr(module, "HARMLESS_BYTES", 10_000)
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"image": [PICTURES[0]] * 20_000, "label": LABELS * 1000}), path)
    assert path.stat().st_size < 100_000
    with pytest.raises(DataError, match="unpack to more than"):
        _check(path, tmp_path / "out")
    assert not (tmp_path / "out" / "dataset.tar").exists()
