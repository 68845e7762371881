"""Pictures of several classes, one or none: lists beside them and tables, checked, written and read by a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from kd_engine.catalog.dataset_params import UploadedParams
from kd_engine.data.readers import uploaded
from kd_engine.platform.files import sha256_of
from kd_engine.schema.events import Finished
from kd_engine.schema.manifest import Manifest
from tests.kd_engine.intake.archives import by_class, picture, zipped
from tests.kd_engine.small_runs import run_spec
from tests.kd_engine.tasks.image_multi_label.digits import TASK

CLASSES = ("cat", "dog", "grass")
# all eight sets of three classes, several times: also none at all
SETS = [tuple(name for place, name in enumerate(CLASSES) if number >> place & 1) for number in range(8)] * 3
FILES = {f"images/{number:02}.png": picture(number, 8, 8) for number in range(len(SETS))}


def _columns() -> bytes:
    lines = [",".join([name, *(str(int(label in own)) for label in CLASSES)])
             for name, own in zip(FILES, SETS, strict=True)]  # fmt: skip
    return "\n".join([f"file,{','.join(CLASSES)}", *lines]).encode()


def _divided() -> bytes:
    return "\n".join(
        ["file,labels", *(f"{name},{'|'.join(own)}" for name, own in zip(FILES, SETS, strict=True))]
    ).encode()


def _lines() -> bytes:
    rows = [{"file_name": name, "labels": list(own)} for name, own in zip(FILES, SETS, strict=True)]
    return "\n".join(map(json.dumps, rows)).encode()


def _coco() -> bytes:
    images = [{"id": number, "file_name": name} for number, name in enumerate(FILES)]
    categories = [{"id": 7 + place, "name": name} for place, name in enumerate(CLASSES)]
    annotations = [{"image_id": number, "category_id": 7 + CLASSES.index(label), "bbox": [0, 0, 1, 1]}
                   for number, own in enumerate(SETS) for label in own]  # fmt: skip
    return json.dumps({"images": images, "annotations": annotations, "categories": categories}).encode()


def _check(path: Path, out: Path, **changes: Any) -> Finished:
    body = {"kind": "check", "upload_sha256": sha256_of(path), "task": TASK} | changes
    return run_spec(body, out, inputs={"upload": path})


def _by_pixels(out: Path, manifest: Manifest) -> dict[bytes, tuple[str, ...]]:
    """What a job reads: the classes of each picture, by its pixels."""
    prepared = out / "dataset.tar"
    params = UploadedParams(
        id="ds_1", height=8, width=8, sha256=sha256_of(prepared), layout="image_folder", channels=3,
        classes=manifest.classes, train=manifest.splits["train"].images, task=manifest.task,
    )  # fmt: skip
    raw = uploaded.read(prepared, params, None)
    return {
        images.numpy().tobytes(): tuple(manifest.classes[label] for label in row.nonzero()[:, 0].tolist())
        for _, images_NCHW, labels_NK in raw.parts() for images, row in zip(images_NCHW, labels_NK, strict=True)
    }  # fmt: skip


def _read(path: Path, out: Path) -> tuple[Manifest, dict[bytes, tuple[str, ...]]]:
    ended = _check(path, out)
    assert ended.reason == "completed", ended.detail
    manifest = Manifest.read((out / "manifest.json").read_text())
    assert manifest.task == TASK
    return manifest, _by_pixels(out, manifest)


@pytest.fixture(scope="module")
def of_columns(tmp_path_factory: pytest.TempPathFactory) -> tuple[Manifest, dict[bytes, tuple[str, ...]]]:
    folder = tmp_path_factory.mktemp("columns")
    return _read(zipped(folder / "a.zip", FILES | {"labels.csv": _columns()}), folder / "out")


def test_columns_of_0_and_1_say_the_classes_of_each_picture(
    of_columns: tuple[Manifest, dict[bytes, tuple[str, ...]]],
) -> None:
    manifest, found = of_columns
    assert manifest.classes == CLASSES
    assert sorted(found.values()) == sorted(SETS)
    assert len(found) == len(FILES)
    splits = manifest.splits
    assert [sum(counts) for counts in zip(*(one.by_class for one in splits.values()), strict=True)] == [12, 12, 12]
    assert (splits["train"].images, splits["test"].images) == (19, 5)


@pytest.mark.parametrize(("name", "content"), [("a.csv", _divided), ("metadata.jsonl", _lines), ("coco.json", _coco)])
def test_other_lists_say_the_same(
    name: str, content: Callable[[], bytes], of_columns: tuple[Manifest, dict[bytes, tuple[str, ...]]], tmp_path: Path
) -> None:
    manifest, found = _read(zipped(tmp_path / "a.zip", FILES | {name: content()}), tmp_path / "out")
    assert found == of_columns[1]
    assert ("are divided by '|'" in " ".join(manifest.notes)) == (content is _divided)


@pytest.mark.parametrize("named", [True, False])
def test_lists_in_a_table_say_the_same(
    named: bool, of_columns: tuple[Manifest, dict[bytes, tuple[str, ...]]], tmp_path: Path
) -> None:
    labels: list[Any] = [[CLASSES.index(label) for label in own] if named else list(own) for own in SETS]
    table = pa.table({"image": pa.array(list(FILES.values()), pa.binary()), "labels": labels})
    if named:  # as the hub writes a sequence of ClassLabel
        feature = {"feature": {"names": CLASSES, "_type": "ClassLabel"}, "_type": "Sequence"}
        about = {"info": {"features": {"labels": feature}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(about)})
    pq.write_table(table, tmp_path / "a.parquet")
    assert _read(tmp_path / "a.parquet", tmp_path / "out")[1] == of_columns[1]

    ended = _check(tmp_path / "a.parquet", tmp_path / "single", task="image_classification")
    assert (ended.reason, f"task={TASK}" in ended.detail) == ("data_error", True)


def test_a_folder_a_class_says_one_and_classes_to_test_on_must_be_in_train(tmp_path: Path) -> None:
    ended = _check(zipped(tmp_path / "a.zip", by_class(4)), tmp_path / "a")
    assert (ended.reason, "a folder a class can say one alone" in ended.detail) == ("data_error", True)
    rows = "\n".join(f"{name},{'cat' if place else 'cat|bird'},{'train' if place else 'test'}"
                     for place, name in enumerate(FILES))  # fmt: skip
    sent = FILES | {"a.csv": b"file,label,split\n" + rows.encode() + b"\nimages/05.png,dog,train"}
    ended = _check(zipped(tmp_path / "b.zip", sent), tmp_path / "b")
    assert (ended.reason, "train does not have: bird" in ended.detail) == ("data_error", True)
