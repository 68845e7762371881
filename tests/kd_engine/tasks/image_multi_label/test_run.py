"""A whole job of several labels an image: trained, measured, published, used, measured again; and what is refused."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError
from sklearn.metrics import average_precision_score

from kd_engine.data.dataset import load
from kd_engine.evaluation.evaluate_file import evaluate_file
from kd_engine.jobspec import DatasetSpec, parse_spec
from kd_engine.networks.network import Network, load_network, save_network
from kd_engine.platform.files import sha256_of
from kd_engine.schema.evaluation_report import EvaluationReport
from kd_engine.schema.events import Finished
from kd_engine.schema.report import TrainingReport
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec
from tests.kd_engine.tasks.image_multi_label.digits import CLASSES, TASK, several_digits, spec, write


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Recorder]:
    out, recorder = tmp_path_factory.mktemp("several"), Recorder()
    write(out / "data")
    ended = run_spec(spec(export=["onnx", "onnx_int8"]), out, recorder)
    assert ended.reason == "completed", ended.detail
    assert {"precision-recall.png", "predict.py", "MODEL_CARD.md"} <= set(ended.artifacts)
    return out, recorder


@pytest.fixture(scope="module")
def report(finished: tuple[Path, Recorder]) -> TrainingReport:
    return TrainingReport.read((finished[0] / "report.json").read_text())


def test_the_report_has_the_scores_of_scikit_learn(finished: tuple[Path, Recorder], report: TrainingReport) -> None:
    network, arrays = load_network(finished[0] / "student.safetensors"), several_digits()
    with torch.no_grad():
        logits_NK = network.logits(torch.from_numpy(arrays["test_images"])[:, None])
    expected = average_precision_score(arrays["test_labels"], logits_NK.numpy(), average="macro")

    assert network.architecture.task == report.task == TASK
    assert report.main == "test_map"
    assert report.row("student").scores["test_map"].mean == pytest.approx(expected, abs=1e-6)
    assert report.row("student").scores["test_map"].mean > 0.8
    compared = ("map", "macro_f1", "micro_f1", "loss", "ece")
    assert set(report.differences[0].scores) == {f"test_{name}" for name in compared}
    rows = report.details["student"].classes
    assert [row.name for row in rows] == list(CLASSES)
    assert [row.images for row in rows] == arrays["test_labels"].sum(axis=0).tolist()
    precisions = [row.scores["average_precision"] for row in rows]
    assert np.mean([value for value in precisions if value is not None]) == pytest.approx(expected, abs=1e-6)
    agreed = [row.scores["teacher_agreement"] for row in rows if row.scores["teacher_agreement"] is not None]
    assert np.mean(agreed) == pytest.approx(report.details["student"].scores["teacher_agreement"])


def test_the_epoch_is_picked_by_the_first_metric_and_the_teacher_is_cached(
    finished: tuple[Path, Recorder], report: TrainingReport
) -> None:
    epochs = [event for event in finished[1].of("epoch_end") if event.phase == "student"]
    best = max(epochs, key=lambda event: (event.metrics["val_map"], -event.metrics["val_loss"]))
    assert report.row("student").run(0).scores["best_epoch"] == best.epoch
    assert report.teacher_cache["0"].hit_rate is not None
    assert report.teacher_cache["0"].hit_rate > 0.7


def test_the_8_bit_student_is_measured_by_its_own_metric(report: TrainingReport) -> None:
    found = report.export["onnx_int8"]
    assert found.error is None
    assert found.difference is not None
    floats = report.row("student").scores["test_map"].mean
    assert found.scores["test_map"].mean == pytest.approx(floats + found.difference.mean)
    assert abs(found.difference.mean) < 0.1


def test_the_card_and_the_figure_show_the_classes(finished: tuple[Path, Recorder]) -> None:
    card = (finished[0] / "MODEL_CARD.md").read_text()
    assert "| class | test images | average precision | F1 | recall | precision |" in card
    assert "yes or no, with a probability, for each of 5 classes" in card
    with Image.open(finished[0] / "precision-recall.png") as image:
        assert min(image.size) > 400


def test_the_script_gives_each_class_its_probability(finished: tuple[Path, Recorder], tmp_path: Path) -> None:
    image_HW = several_digits()["test_images"][0]
    Image.fromarray(image_HW).save(tmp_path / "one.png")
    command = [sys.executable, "-I", str(finished[0] / "predict.py"), str(finished[0] / "student.onnx"), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    [row] = csv.DictReader(io.StringIO(done.stdout))
    with torch.no_grad():
        logits_1K = load_network(finished[0] / "student.safetensors").logits(torch.from_numpy(image_HW)[None, None])
    assert [float(row[name]) for name in CLASSES] == pytest.approx(logits_1K.sigmoid()[0].tolist(), abs=1e-3)


def test_a_network_measured_again_has_the_same_numbers(finished: tuple[Path, Recorder], report: TrainingReport) -> None:
    out = finished[0]
    asked = DatasetSpec.model_validate(spec()["dataset"]).resolved()
    data = load(asked, out / "data", download=False)
    files = {"teacher_file": out / "teacher.safetensors"}
    again = evaluate_file(out / "student.safetensors", "several", data, torch.device("cpu"), **files)
    assert again.report.scores == report.details["student"].scores
    assert "mean average precision" in again.report.summary


def test_a_job_that_was_stopped_gives_the_same_student(finished: tuple[Path, Recorder], tmp_path: Path) -> None:
    shared = {"data_dir": finished[0] / "data", "cache_dir": finished[0] / "cache"}
    stopped = run_spec(spec(), tmp_path, Recorder(stop_after=40), **shared)
    assert stopped.reason == "interrupted"
    resumed = run_spec(spec(), tmp_path, resume_from=tmp_path / "checkpoint.safetensors", **shared)
    assert resumed.reason == "completed"
    tensors = [load_network(out / "student.safetensors").module.state_dict() for out in (finished[0], tmp_path)]
    assert all(tensors[0][name].equal(tensors[1][name]) for name in tensors[0])


def test_a_teacher_of_another_task_is_refused(finished: tuple[Path, Recorder], tmp_path: Path) -> None:
    body = DIGITS | {"teacher": {"job": "job_1", "role": "student"}}
    ended = run_spec(body, tmp_path, networks=(finished[0] / "student.safetensors",))
    assert (ended.reason, TASK in ended.detail) == ("invalid_spec", True)


def _register(path: Path, finished: tuple[Path, Recorder], out: Path, form: str) -> Finished:
    asked = {"kind": "register", "dataset": spec()["dataset"], "upload_sha256": sha256_of(path), "format": form}
    return run_spec(asked, out, data_dir=finished[0] / "data", inputs={"upload": path})


def test_an_onnx_model_that_is_sent_is_measured_by_the_same_metric(
    finished: tuple[Path, Recorder], report: TrainingReport, tmp_path: Path
) -> None:
    ended = _register(finished[0] / "student.onnx", finished, tmp_path, "onnx")
    assert ended.reason == "completed", ended.detail
    found = EvaluationReport.read((tmp_path / "report.json").read_text())
    assert found.scores["test_map"] == pytest.approx(report.row("student").scores["test_map"].mean, abs=0.02)
    assert load_network(tmp_path / "model.safetensors").architecture.task == TASK


def test_recorded_probabilities_teach_and_rows_in_another_order_are_refused(
    finished: tuple[Path, Recorder], report: TrainingReport, tmp_path: Path
) -> None:
    teacher, arrays = load_network(finished[0] / "teacher.safetensors"), several_digits()
    with torch.no_grad():
        recorded = {part: teacher.logits(torch.from_numpy(arrays[f"{part}_images"])[:, None]).sigmoid().numpy()
                    for part in ("train", "test")}  # fmt: skip
    np.savez(tmp_path / "sent.npz", **recorded)
    ended = _register(tmp_path / "sent.npz", finished, tmp_path / "sent", "npz")
    assert ended.reason == "completed", ended.detail
    body = spec(teacher={"job": "job_1", "role": "model"}, training={"epochs": 1})
    taught = run_spec(
        body, tmp_path / "out", data_dir=finished[0] / "data", networks=(tmp_path / "sent" / "model.safetensors",)
    )
    assert taught.reason == "completed", taught.detail
    found = TrainingReport.read((tmp_path / "out" / "report.json").read_text())
    expected = report.row("teacher").scores["test_map"].mean
    assert found.row("teacher").scores["test_map"].mean == pytest.approx(expected, abs=1e-3)

    np.savez(tmp_path / "mixed.npz", **recorded | {"train": np.random.RandomState(0).permutation(recorded["train"])})
    ended = _register(tmp_path / "mixed.npz", finished, tmp_path / "mixed", "npz")
    assert (ended.reason, "the rows of 'train' are in another order" in ended.detail) == ("data_error", True)


def test_a_network_of_another_task_is_no_teacher_to_send(finished: tuple[Path, Recorder], tmp_path: Path) -> None:
    network = load_network(finished[0] / "student.safetensors")
    other = replace(network.architecture, task="image_classification")
    save_network(Network(other, network.module), tmp_path / "other.safetensors", {})
    ended = _register(tmp_path / "other.safetensors", finished, tmp_path / "out", "safetensors")
    assert (ended.reason, TASK in ended.detail) == ("data_error", True)


@pytest.mark.parametrize(
    ("losses", "said"),
    [
        ([{"kind": "crd"}], "an image may have several"),
        ([{"kind": "kl", "standardize": True}], "learns nothing on two classes"),
    ],
)
def test_losses_that_cannot_learn_from_a_yes_and_a_no_are_refused(losses: list[Any], said: str) -> None:
    body = spec(losses=losses, student={"model": "mnist_cnn"})
    with pytest.raises(ValidationError, match=said):
        parse_spec(json.loads(json.dumps(body)))


WRONG = {
    "one column": ({"train_labels": np.ones((500, 1)), "test_labels": np.ones((120, 1))}, "two classes or more"),
    "a two": ({"train_labels": several_digits()["train_labels"] * 2}, "train_labels holds 2 in row"),
    "nan": ({"test_labels": np.full((120, 5), np.nan)}, "test_labels holds nan in row 0, column 0"),
    "a class an image": ({"train_labels": np.zeros(500, int)}, "expected N x K numbers of 0 and 1"),
    "other columns": ({"test_labels": np.zeros((120, 4))}, "has 4 columns, and there are 5 classes"),
}


@pytest.mark.parametrize("case", WRONG)
def test_targets_that_are_no_yes_and_no_are_refused(case: str, tmp_path: Path) -> None:
    changes, said = WRONG[case]
    write(tmp_path / "data", **changes)
    ended = run_spec(spec(), tmp_path)
    assert ended.reason == "data_error"
    assert said in ended.detail


def test_floats_of_0_and_1_and_truth_values_are_taken(tmp_path: Path) -> None:
    arrays = several_digits()
    write(tmp_path, train_labels=arrays["train_labels"].astype(float), test_labels=arrays["test_labels"] > 0)
    data = load(DatasetSpec.model_validate(spec()["dataset"]).resolved(), tmp_path, download=False)
    assert data.test.labels_N.numpy().tolist() == arrays["test_labels"].tolist()
    held = data.validation.labels_N.float().mean(dim=0)
    # each class has its share, and so have images without any
    torch.testing.assert_close(held, data.train.labels_N.float().mean(dim=0), atol=0.12, rtol=0)
    assert 0 < int((data.validation.labels_N.sum(dim=1) == 0).sum()) < len(data.validation)
