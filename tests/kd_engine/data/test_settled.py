"""Specs on data of which little is known before it is read: checked twice by one piece of code, and repeatable."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from safetensors.numpy import load_file

from kd_engine.catalog import Facts
from kd_engine.jobspec import DatasetSpec, JobSpec, teacher_hash
from kd_engine.jobspec.problems import field_problems
from kd_engine.schema.errors import InvalidSpecError
from tests.kd_engine.small_runs import Recorder, run_spec

FOLDER = {"name": "image_folder", "params": {"folder": "pets", "height": 16, "width": 12}}
ARRAYS = {"name": "arrays", "params": {"path": "mine.npz"}}
JOB: dict[str, Any] = {
    "dataset": ARRAYS,
    "teacher": {"model": "mlp", "params": {"hidden": [16]}, "training": {"epochs": 1}},
    "student": {"model": "mlp", "params": {"hidden": [4]}},
    "training": {"epochs": 2, "batch_size": 32},
}
KNOWN = Facts("arrays", tuple("abc"), (1, 6, 6), 120, (0.4,), (0.2,))


def job(**changes: Any) -> JobSpec:
    return JobSpec.model_validate(JOB | changes)


def problem(**changes: Any) -> tuple[str, str]:
    body = JOB | changes
    with pytest.raises(ValidationError) as caught:
        JobSpec.model_validate(body)
    [found] = field_problems(caught.value, body)
    return found.pointer, found.message


class TestBeforeTheDataIsRead:
    def test_what_is_known_is_filled_in_and_no_more(self) -> None:
        folder, arrays = (job(dataset=dataset).resolved().to_json() for dataset in (FOLDER, ARRAYS))

        assert folder["dataset"] == FOLDER | {"validation": 0.1}
        assert folder["student"]["params"]["in_channels"] == 3
        assert "num_classes" not in folder["student"]["params"]
        assert arrays["dataset"] == ARRAYS | {"validation": 0.1}
        assert "in_channels" not in arrays["student"]["params"]

    @pytest.mark.parametrize("dataset", [FOLDER, ARRAYS])
    def test_resolving_is_idempotent_and_survives_json(self, dataset: dict[str, Any]) -> None:
        resolved = job(dataset=dataset).resolved()

        assert resolved.resolved() == resolved
        assert JobSpec.model_validate(json.loads(json.dumps(resolved.to_json()))) == resolved

    def test_what_is_known_is_checked(self) -> None:
        crop = {"name": "crop", "padding": 12, "mode": "reflect"}
        bad = {"model": "mlp", "params": {"in_channels": 1}}

        assert problem(dataset=FOLDER | {"mean": [0.5]}) == (
            "/dataset/mean", "'mean' has 1 values; image_folder has 3 channels.",
        )  # fmt: skip
        pointer, message = problem(dataset=FOLDER, student=bad)
        assert pointer == "/student/params/in_channels"
        assert "in_channels is 1, but image_folder has 3 channels" in message
        assert problem(dataset=FOLDER, training={"augmentation": [crop]})[0] == "/training/augmentation/0"

    def test_what_is_not_known_is_not(self) -> None:
        crop = {"name": "crop", "padding": 12, "mode": "reflect"}

        job(
            dataset=ARRAYS | {"mean": [0.5] * 7, "validation": 900_000},
            student={"model": "mlp", "params": {"in_channels": 9, "num_classes": 77}},
            training={"augmentation": [crop]},
        )

    def test_what_needs_no_data_is(self) -> None:
        assert problem(training={"augmentation": ["mixup", "flip"]})[0] == "/training/augmentation/0"

    @pytest.mark.parametrize(
        ("dataset", "pointer", "part"),
        [
            ("image_folder", "/dataset", "the data set 'image_folder' needs 'params' with folder, height, width."),
            ({"name": "arrays"}, "/dataset", "needs 'params' with path."),
            ({"name": "mnist", "params": {"folder": "x"}}, "/dataset/params/folder", "unknown key 'folder'"),
            ({"name": "arrays", "params": {"pth": "x.npz"}}, "/dataset/params/pth", "did you mean 'path'?"),
            (
                {"name": "arrays", "params": {"path": "../x"}},
                "/dataset/params/path",
                "expected a place below KD_DATA_DIR",
            ),
            (
                {"name": "image_folder", "params": {"folder": "a", "height": 0, "width": 2}},
                "/dataset/params/height",
                "0",
            ),
        ],
    )
    def test_wrong_parameters_have_a_place(self, dataset: Any, pointer: str, part: str) -> None:
        found = problem(dataset=dataset)

        assert found[0].startswith(pointer)
        assert part in found[1]

    def test_data_sets_without_parameters_say_nothing_of_them(self) -> None:
        assert "params" not in job(dataset={"name": "mnist", "params": {}}).resolved().to_json()["dataset"]


class TestOnceItIsRead:
    def test_everything_is_filled_in(self) -> None:
        settled = job().settled(KNOWN)

        assert settled.dataset.mean == (0.4,)
        assert settled.dataset.std == (0.2,)
        assert settled.student.params == {"hidden": [4], "dropout": 0.0, "num_classes": 3, "in_channels": 1}
        assert settled.settled(KNOWN) == settled
        assert job().resolved().settled(KNOWN) == settled
        assert JobSpec.model_validate(settled.to_json()).settled(KNOWN) == settled

    def test_what_was_given_stays(self) -> None:
        settled = job(dataset=ARRAYS | {"mean": [0.1], "validation": 20}).settled(KNOWN)

        assert settled.dataset.mean == (0.1,)
        assert settled.dataset.std == (0.2,)
        assert settled.dataset.validation == 20

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            ({"dataset": ARRAYS | {"mean": [0.5] * 3}}, "'mean' has 3 values; arrays has 1 channels."),
            ({"dataset": ARRAYS | {"validation": 61}}, "arrays has 120 train images; at most half can be held out."),
            (
                {"student": {"model": "mlp", "params": {"num_classes": 4}}},
                "student.params.num_classes is 4, but arrays has 3 classes; leave it out.",
            ),
            (
                {"teacher": {"model": "mlp", "params": {"in_channels": 3}}},
                "teacher.params.in_channels is 3, but arrays has 1 channels; leave it out.",
            ),
            (
                {"teacher": "resnet20"},
                "the teacher 'resnet20' needs images of at least 8 pixels a side; those of arrays have 6.",
            ),
            (
                {"training": {"augmentation": [{"name": "crop", "padding": 6, "mode": "reflect"}]}},
                "reflected padding of 6 pixels needs images of more than that; these have 6.",
            ),
        ],
    )
    def test_the_same_checks_with_the_same_messages(self, changes: dict[str, Any], message: str) -> None:
        with pytest.raises(InvalidSpecError) as caught:
            job(**changes).settled(KNOWN)

        assert str(caught.value) == message

    def test_the_teachers_hash_knows_the_folder_the_size_and_the_data(self) -> None:
        def key(dataset: dict[str, Any], data_sha256: str = "d") -> str:
            settled = job(dataset=dataset).settled(
                Facts("image_folder", ("a", "b"), (3, 16, 12), 40, (0.1,) * 3, (1,) * 3)
            )
            return teacher_hash(settled.teacher, settled.dataset, data_sha256)

        larger = FOLDER | {"params": {"folder": "pets", "height": 16, "width": 13}}
        assert key(FOLDER) == key(FOLDER)
        assert len({key(FOLDER), key(larger), key(FOLDER, "e"), key(FOLDER | {"validation": 3})}) == 4


class TestRuns:
    @pytest.fixture
    def data_dir(self, tmp_path: Path) -> Path:
        random = np.random.default_rng(0)
        content: dict[str, Any] = {}
        for part, count in (("train", 150), ("test", 60)):
            labels = np.arange(count) % 3
            noise = random.integers(0, 60, (count, 6, 6), dtype=np.uint8)
            content |= {
                f"{part}_labels": labels,
                f"{part}_images": noise + (80 * labels[:, None, None]).astype(np.uint8),
            }
        folder = tmp_path / "data"
        folder.mkdir()
        np.savez(folder / "mine.npz", **content)
        return folder

    def test_the_published_spec_gives_the_same_student_and_finds_the_teacher(
        self, data_dir: Path, tmp_path: Path
    ) -> None:
        assert run_spec(JOB, tmp_path / "a", data_dir=data_dir).reason == "completed"
        published = json.loads((tmp_path / "a" / "spec.json").read_text())
        recorder = Recorder()
        again = run_spec(published, tmp_path / "b", recorder, data_dir=data_dir, cache_dir=tmp_path / "a" / "cache")

        assert again.reason == "completed"
        assert recorder.of("phase_ended")[0].source == "cache"
        assert json.loads((tmp_path / "b" / "spec.json").read_text()) == published
        assert len(published["dataset"]["mean"]) == 1
        assert published["student"]["params"]["num_classes"] == 3
        first, second = (load_file(tmp_path / name / "student.safetensors") for name in "ab")
        assert all(np.array_equal(first[name], second[name]) for name in first)

    def test_an_interrupted_run_goes_on(self, data_dir: Path, tmp_path: Path) -> None:
        assert run_spec(JOB, tmp_path / "a", data_dir=data_dir).reason == "completed"
        assert run_spec(JOB, tmp_path / "b", Recorder(stop_after=9), data_dir=data_dir).reason == "interrupted"
        checkpoint = tmp_path / "b" / "checkpoint.safetensors"

        ended = run_spec(JOB, tmp_path / "b", data_dir=data_dir, resume_from=checkpoint)

        assert ended.reason == "completed", ended.detail
        first, second = (load_file(tmp_path / name / "student.safetensors") for name in "ab")
        assert all(np.array_equal(first[name], second[name]) for name in first)

    def test_a_checkpoint_of_other_data_is_refused(self, data_dir: Path, tmp_path: Path) -> None:
        run_spec(JOB, tmp_path / "a", Recorder(stop_after=3), data_dir=data_dir)
        content = dict(np.load(data_dir / "mine.npz"))
        np.savez(data_dir / "mine.npz", **content | {"train_images": 255 - content["train_images"]})

        ended = run_spec(
            JOB, tmp_path / "a", data_dir=data_dir, resume_from=tmp_path / "a" / "checkpoint.safetensors"
        )  # fmt: skip

        assert ended.reason == "data_error"
        assert "belongs to another spec, or to other data" in ended.detail

    @pytest.mark.parametrize(
        ("changes", "reason", "part"),
        [
            ({"dataset": ARRAYS | {"validation": 100}}, "invalid_spec", "150 train images; at most half"),
            ({"student": {"model": "mlp", "params": {"num_classes": 9}}}, "invalid_spec", "is 9, but arrays has 3"),
            (
                {"dataset": {"name": "arrays", "params": {"path": "other.npz"}}},
                "data_error",
                "is 'other.npz', which is",
            ),
        ],
    )
    def test_what_only_the_run_finds_out_has_a_reason(
        self, data_dir: Path, tmp_path: Path, changes: dict[str, Any], reason: str, part: str
    ) -> None:
        ended = run_spec(JOB | changes, tmp_path / "a", data_dir=data_dir)

        assert ended.reason == reason
        assert part in ended.detail

    def test_mixed_images_and_every_augmentation_train(self, data_dir: Path, tmp_path: Path) -> None:
        every: list[Any] = [
            {"name": "crop", "padding": 1}, "flip", "rotation", "zoom", "color_jitter", {"name": "cutout", "size": 2},
            "randaugment", "cutmix",
        ]  # fmt: skip
        body = JOB | {"training": {"epochs": 1, "augmentation": every}, "baseline": False}

        ended = run_spec(body, tmp_path / "a", data_dir=data_dir)

        assert ended.reason == "completed", ended.detail


def test_absence_is_known_before_the_run(tmp_path: Path) -> None:
    assert DatasetSpec(name="digits").absence(tmp_path) is None
    assert "'mnist' is not present" in (DatasetSpec(name="mnist").absence(tmp_path) or "")
    folder = DatasetSpec.model_validate(FOLDER)
    assert "params.folder is 'pets'" in (folder.absence(tmp_path) or "")
    (tmp_path / "pets" / "train").mkdir(parents=True)
    assert "'pets' under KD_DATA_DIR has no val or test" in (folder.absence(tmp_path) or "")
    (tmp_path / "pets" / "test").mkdir()
    assert folder.absence(tmp_path) is None
