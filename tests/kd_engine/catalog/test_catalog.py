"""What exists: every row can be described, and leads to code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kd_engine.catalog import DATASETS, EXPORTERS, MODELS, catalog
from kd_engine.catalog.datasets import DatasetRow, Layout
from kd_engine.schema.importing import load_object


def test_catalog_is_json_with_a_schema_for_whatever_has_parameters() -> None:
    found = json.loads(json.dumps(catalog(), allow_nan=False))

    with_schema = {"datasets", "models", "losses", "optimizers", "schedules", "augmentations"}
    assert set(found) == with_schema | {"tasks", "exporters"}
    for kind, rows in found.items():
        assert rows, kind
        assert all(row["name"] and row["summary"] for row in rows), kind
        assert all(kind not in with_schema or row["schema"]["type"] == "object" for row in rows), kind


def test_catalog_shows_no_inner_names() -> None:
    assert "kd_engine." not in json.dumps(catalog())


def test_catalog_shows_ranges() -> None:
    losses = {row["name"]: row["schema"]["properties"] for row in catalog()["losses"]}
    models = {row["name"]: row for row in catalog()["models"]}

    assert losses["kl"]["temperature"]["exclusiveMinimum"] == 0
    assert losses["kl"]["temperature"]["maximum"] == 1000
    assert models["mlp"]["schema"]["properties"]["dropout"]["exclusiveMaximum"] == 1
    assert models["resnet20"]["stages"] == ["stage1", "stage2", "stage3"]


def test_every_exporter_has_a_file_of_its_own_and_comes_after_those_that_it_needs() -> None:
    names = [*EXPORTERS]
    assert len({row.file for row in EXPORTERS.values()}) == len(EXPORTERS)
    for row in EXPORTERS.values():
        assert callable(load_object(row.exporter)().write)
        assert all(names.index(needed) < names.index(row.name) for needed in row.needs)
        assert not row.default or all(EXPORTERS[needed].default for needed in row.needs)


@pytest.mark.parametrize("row", DATASETS.values(), ids=lambda row: row.name)
def test_every_data_set_leads_to_code_and_agrees_with_itself(row: DatasetRow) -> None:
    assert callable(load_object(row.reader))
    assert not row.download or callable(load_object(row.download))
    assert row.source
    if row.params is not None:
        assert row.validation == 0.1
        return
    assert row.mean is not None
    assert row.std is not None
    assert row.shape is not None
    assert row.train is not None
    assert row.classes is not None
    assert len(row.mean) == len(row.std) == row.shape[0]
    assert 0 < row.validation < row.train
    assert len(set(row.classes)) == row.num_classes


def test_the_100_classes_are_in_the_publishers_order() -> None:
    classes = DATASETS["cifar100"].classes

    assert classes is not None
    assert len(classes) == 100
    assert list(classes) == sorted(classes)
    # the labels of the first images of train
    assert [classes[label] for label in (19, 29, 0, 11, 1)] == ["cattle", "dinosaur", "apple", "boy", "aquarium_fish"]


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_model_leads_to_code(name: str) -> None:
    assert MODELS[name].name == name
    assert callable(load_object(MODELS[name].factory))


class TestPresence:
    @pytest.fixture
    def row(self) -> DatasetRow:
        return DATASETS["mnist"]

    @staticmethod
    def lay(folder: Path, layout: Layout) -> None:
        for name in layout.files:
            (folder / layout.folder).mkdir(parents=True, exist_ok=True)
            (folder / layout.folder / name).touch()

    def test_empty_folder(self, row: DatasetRow, tmp_path: Path) -> None:
        assert not row.present(tmp_path)
        assert row.find(tmp_path) is None

    def test_each_layout_is_found(self, row: DatasetRow, tmp_path: Path) -> None:
        for number, layout in enumerate(row.layouts):
            folder = tmp_path / str(number)
            self.lay(folder, layout)
            assert row.find(folder) == layout

    def test_one_file_missing_is_absence(self, row: DatasetRow, tmp_path: Path) -> None:
        self.lay(tmp_path, row.layouts[0])
        (tmp_path / row.layouts[0].folder / row.layouts[0].files[2]).unlink()

        assert not row.present(tmp_path)

    def test_data_that_a_package_carries_is_always_there(self, tmp_path: Path) -> None:
        assert DATASETS["digits"].present(tmp_path)

    def test_absence_says_where_and_how(self, row: DatasetRow, tmp_path: Path) -> None:
        message = row.absence(tmp_path)

        assert str(tmp_path / "MNIST/raw") in message
        assert "train-images-idx3-ubyte.gz" in message
        assert "KD_DATA_DIR" in message
        assert "KD_DOWNLOAD=true" in message
