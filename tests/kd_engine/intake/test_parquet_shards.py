"""Tables in several files of an archive."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kd_engine.intake.archive import Archive
from kd_engine.intake.images import check_pictures
from kd_engine.intake.parquet import PictureTable
from kd_engine.intake.parquet_shards import tables_of
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.archives import picture, tarred, zipped

PICTURES = [picture(number) for number in range(24)]


def _rows(start: int, end: int, **more: Any) -> pa.Table:
    images = [{"bytes": content, "path": None} for content in PICTURES[start:end]]
    table = pa.table({"image": images, "label": [number % 2 for number in range(start, end)], **more})
    about = {"info": {"features": {"label": {"names": ["zebra", "ant"], "_type": "ClassLabel"}}}}
    return table.replace_schema_metadata({"huggingface": json.dumps(about)})


def _parquet(table: pa.Table) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file)
    return file.getvalue()


def _arrow(table: pa.Table, *, stream: bool = True) -> bytes:
    file = io.BytesIO()
    with (pa.ipc.new_stream if stream else pa.ipc.new_file)(file, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    return file.getvalue()


def _state(*names: str, **more: Any) -> bytes:
    return json.dumps({"_data_files": [{"filename": name} for name in names], **more}).encode()


def _check(path: Path, out: Path, *, is_tar: bool = False) -> dict[str, Any]:
    tables = tables_of(Archive(path, is_tar=is_tar))
    assert tables is not None
    out.mkdir()
    with tables.unpacked(out) as shards:
        table = PictureTable(shards, path.stat().st_size)
        manifest = check_pictures(table, table.layout(0.25), out, broken="refuse").model_dump(mode="json")
    assert {entry.name for entry in out.iterdir()} == {"dataset.tar", "samples.csv", "thumbnails.png"}
    return manifest | {"notes": [*manifest["notes"], *tables.notes]}


def _sizes(manifest: dict[str, Any]) -> dict[str, int]:
    return {split: found["images"] for split, found in manifest["splits"].items()}


def test_shards_as_a_hub_has_them(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a", {
        "set/README.md": b"# Of animals",
        "set/data/train-00001-of-00002.parquet": _parquet(_rows(8, 12)),
        "set/data/validation-00000-of-00001.parquet": _parquet(_rows(12, 18)),
        "set/data/test-00000-of-00001-4fd2e1ab.parquet": _parquet(_rows(18, 24)),
        "set/data/train-00000-of-00002.parquet": _parquet(_rows(0, 8)),
    })  # fmt: skip
    manifest = _check(path, tmp_path / "out")
    assert manifest["classes"] == ["zebra", "ant"]
    assert _sizes(manifest) == {"train": 12, "validation": 6, "test": 6}
    rows = (tmp_path / "out" / "samples.csv").read_text().splitlines()
    assert rows[1] == "train,0,zebra,set/data/train-00000-of-00002.parquet row 0.png"
    assert rows[5] == "train,4,zebra,set/data/train-00001-of-00002.parquet row 0.png"


@pytest.mark.parametrize("stream", [True, False])
def test_folders_of_save_to_disk(tmp_path: Path, stream: bool) -> None:
    path = tarred(tmp_path / "a", {
        "set/dataset_dict.json": b'{"splits": ["train", "test"]}',
        "set/train/data-00000-of-00001.arrow": _arrow(_rows(0, 18), stream=stream),
        "set/train/state.json": _state("data-00000-of-00001.arrow"),
        "set/train/cache-0123456789abcdef.arrow": _arrow(_rows(0, 18), stream=stream),
        "set/test/data-00000-of-00001.arrow": _arrow(_rows(18, 24), stream=stream),
        "set/test/state.json": _state("data-00000-of-00001.arrow"),
    })  # fmt: skip
    manifest = _check(path, tmp_path / "out", is_tar=True)
    assert manifest["classes"] == ["zebra", "ant"]
    assert _sizes(manifest) == {"train": 18, "test": 6}
    assert any("cache-0123456789abcdef.arrow" in note for note in manifest["notes"])


def test_hive_folders(tmp_path: Path) -> None:
    def part(start: int, end: int) -> bytes:
        return _parquet(_rows(start, end).drop_columns("label"))

    path = zipped(tmp_path / "a", {
        "split=train/label=guinea%20pig/part-0.parquet": part(0, 8),
        "split=train/label=cat/part-0.parquet": part(8, 16),
        "split=test/label=cat/part-0.parquet": part(16, 20),
        "split=test/label=guinea%20pig/part-0.parquet": part(20, 24),
    })  # fmt: skip
    manifest = _check(path, tmp_path / "out")
    assert manifest["classes"] == ["cat", "guinea pig"]
    assert _sizes(manifest) == {"train": 16, "test": 8}


def test_files_that_name_no_split_are_split_here_and_numbers_of_folders_are_numbers(tmp_path: Path) -> None:
    files = {f"label={label}/{part}.parquet": _parquet(_rows(start, start + 4).drop_columns("label"))
             for part, label, start in (("a", 2, 0), ("b", 10, 4), ("a", 10, 8))}  # fmt: skip
    manifest = _check(zipped(tmp_path / "a", files), tmp_path / "out")
    assert manifest["classes"] == ["2", "10"]
    assert _sizes(manifest) == {"train": 9, "test": 3}


def test_rows_without_labels_are_left_out_by_the_name_of_their_file(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a", {
        "train-00000-of-00001.parquet": _parquet(_rows(0, 12)),
        "test-00000-of-00001.parquet": _parquet(_rows(12, 16)),
        "unlabeled-00000-of-00001.parquet": _parquet(_rows(16, 24)),
    })  # fmt: skip
    manifest = _check(path, tmp_path / "out")
    assert _sizes(manifest) == {"train": 12, "test": 4}
    assert any("unlabeled-00000-of-00001.parquet" in note for note in manifest["notes"])


T = _parquet(_rows(0, 12))


@pytest.mark.parametrize(("files", "message"), [
    ({"train-00000-of-00003.parquet": T, "train-00002-of-00003.parquet": T}, "in 3 files, and 2 .*number 1 is missing"),
    ({"train/data-0.arrow": T, "train/state.json": _state("data-0.arrow", "data-1.arrow")}, "names 'train/data-1.arro"),
    ({"data-0.arrow": T, "state.json": _state("data-0.arrow", _indices_data_files=[{"filename": "i.arrow"}])},
     "flatten_indices"),
    ({"mnist/train-0.parquet": T, "fashion/train-0.parquet": T}, "'fashion/train-0.parquet' and 'mnist/train-0.parque"),
    ({"data/train-0.parquet": T, "data/more-0.parquet": T}, "'data/train-0.parquet' names its split, and 'data/more-0"),
    ({"train/test-0.parquet": T}, "names the splits train and test at once"),
    ({"unlabelled/a.parquet": T}, "no table of the archive has labels"),
    ({"train-0.parquet": T, "test-0.parquet": _parquet(_rows(0, 4).replace_schema_metadata({}))}, "names other cl"),
    ({"train-0.parquet": T, "test-0.parquet": _parquet(_rows(0, 4, split=["train"] * 4))}, "is called test, and its"),
    ({"a.parquet": T, "b.parquet": _parquet(_rows(0, 4, split=["test"] * 4))}, "some of the tables say the splits"),
    ({"a.arrow": b"no table", "b.arrow": b"none"}, "the table cannot be read"),
])  # fmt: skip
def test_what_is_no_table_is_told(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        _check(zipped(tmp_path / "a", files), tmp_path / "out")


def test_a_table_beside_pictures_is_none_of_these(tmp_path: Path) -> None:
    assert tables_of(Archive(zipped(tmp_path / "a", {"a.parquet": T, "a/1.png": PICTURES[0]}), is_tar=False)) is None
