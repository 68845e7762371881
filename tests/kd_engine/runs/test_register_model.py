"""A network that was sent: verified on the data set that it is for, and then a network like any other."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from kd_engine.networks.build import build_network
from kd_engine.networks.network import load_network
from kd_engine.platform.files import sha256_of
from kd_engine.schema.events import Finished
from tests.kd_engine.intake.networks import (
    classifier,
    digits,
    linear_onnx,
    logits,
    pooled_onnx,
    quantised_dynamically,
    sklearn_onnx,
)
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec

ACCURACY = float((logits("test").argmax(axis=1) == digits().test_labels.numpy()).mean())
FORMATS = {".onnx": "onnx", ".npz": "npz", ".safetensors": "safetensors"}


def register(path: Path, out: Path, **changes: Any) -> Finished:
    spec = {
        "kind": "register", "dataset": "digits", "upload_sha256": sha256_of(path), "format": FORMATS[path.suffix],
    }  # fmt: skip
    return run_spec(spec | changes, out, inputs={"upload": path})


def register_bytes(content: bytes, tmp_path: Path, **changes: Any) -> Finished:
    (tmp_path / "sent.onnx").write_bytes(content)
    return register(tmp_path / "sent.onnx", tmp_path / "out", **changes)


def report(tmp_path: Path) -> dict[str, Any]:
    return dict(json.loads((tmp_path / "out" / "report.json").read_text()))


def registered_logits(tmp_path: Path) -> torch.Tensor:
    """Of the test images, from the file that later jobs read."""
    with torch.no_grad():
        return load_network(tmp_path / "out" / "model.safetensors").logits(digits().test_images)


@pytest.mark.parametrize("shape", [
    ["N", 1, 8, 8], ["N", 8, 8, 1], ["N", 8, 8], ["N", 64], [None, None, None, None], [16, 1, 8, 8], [1, 64],
])  # fmt: skip
def test_an_onnx_model_is_fed_as_it_takes_its_images(tmp_path: Path, shape: list[Any]) -> None:
    ended = register_bytes(linear_onnx(shape), tmp_path)
    assert ended.reason == "completed", ended.detail
    assert set(ended.artifacts) == {"model.safetensors", "spec.json", "report.json", "confusion.png"}
    assert report(tmp_path)["test_accuracy"] == pytest.approx(ACCURACY)
    torch.testing.assert_close(registered_logits(tmp_path), torch.from_numpy(logits("test")), rtol=1e-4, atol=1e-4)


def test_probabilities_become_logits(tmp_path: Path) -> None:
    assert register_bytes(linear_onnx(["N", 64], softmax=True), tmp_path).reason == "completed"
    expected_NK = torch.from_numpy(logits("test")).log_softmax(dim=1)
    torch.testing.assert_close(registered_logits(tmp_path), expected_NK, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("options", [{}, {"options": {"zipmap": False}}])
def test_a_model_of_scikit_learn(tmp_path: Path, options: dict[str, Any]) -> None:
    ended = register_bytes(sklearn_onnx(**options), tmp_path)
    assert ended.reason == "completed", ended.detail
    assert report(tmp_path)["test_accuracy"] == pytest.approx(ACCURACY)
    assert report(tmp_path)["parameters"] >= 650
    expected_NK = torch.from_numpy(logits("test")).softmax(dim=1)
    torch.testing.assert_close(registered_logits(tmp_path).softmax(dim=1), expected_NK, rtol=1e-3, atol=1e-4)


def test_the_normalisation_that_it_wants_is_found_out(tmp_path: Path) -> None:
    """A linear model with its bias shrunk to nothing by pixels a hundredth as large would answer by the bias alone."""
    assert register_bytes(linear_onnx(["N", 64], scale=255.0), tmp_path).reason == "completed"
    found = report(tmp_path)["registered"]
    assert found["std"] == [pytest.approx(1 / 255)]
    assert found["normalisations_tried"][0]["name"] == "pixels in [0, 255]"
    assert {one["log_loss"] > found["train_log_loss"] for one in found["normalisations_tried"][1:]} == {True}
    assert report(tmp_path)["test_accuracy"] == pytest.approx(ACCURACY)


def test_a_normalisation_that_is_given_is_taken(tmp_path: Path) -> None:
    assert register_bytes(linear_onnx(["N", 64]), tmp_path, mean=[0.5], std=[0.5]).reason == "completed"
    found = report(tmp_path)["registered"]
    assert (found["mean"], found["std"], found["normalisations_tried"]) == ([0.5], [0.5], [])
    assert report(tmp_path)["test_accuracy"] < ACCURACY


ORDER = [3, 1, 4, 0, 5, 9, 2, 6, 8, 7]


def test_another_order_of_the_classes_is_told_and_refused(tmp_path: Path) -> None:
    ended = register_bytes(linear_onnx(["N", 64], order=ORDER), tmp_path)
    assert ended.reason == "data_error"
    order = ",".join(map(str, ORDER))
    assert f"Send it again with classes={order}." in ended.detail
    # advice goes on from the order that was given
    again = register_bytes(linear_onnx(["N", 64], order=ORDER), tmp_path, classes=[str(9 - label) for label in ORDER])
    assert f"Send it again with classes={order}." in again.detail


@pytest.mark.parametrize("softmax", [False, True])
def test_with_its_own_order_it_fits(tmp_path: Path, softmax: bool) -> None:
    content = linear_onnx(["N", 64], order=ORDER, softmax=softmax)
    ended = register_bytes(content, tmp_path, classes=[str(label) for label in ORDER])
    assert ended.reason == "completed", ended.detail
    assert report(tmp_path)["test_accuracy"] == pytest.approx(ACCURACY)


def test_logits_are_told_by_the_images_that_they_are_of(tmp_path: Path) -> None:
    np.savez(tmp_path / "sent.npz", train=logits("train"), test=logits("test"))
    assert register(tmp_path / "sent.npz", tmp_path / "out").reason == "completed"
    torch.testing.assert_close(registered_logits(tmp_path), torch.from_numpy(logits("test")))
    network = load_network(tmp_path / "out" / "model.safetensors")
    shuffled = torch.randperm(len(digits().train_images), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        network.logits(digits().train_images[shuffled]), torch.from_numpy(logits("train"))[shuffled]
    )


def test_weights_of_a_network_of_the_catalogue(tmp_path: Path) -> None:
    state = {"linear.weight": torch.tensor(classifier().coef_), "linear.bias": torch.tensor(classifier().intercept_)}
    names = list(build_network("softmax_regression", {}, (1, 8, 8), 10).state_dict())
    ours = {name: tensor.float().contiguous() for name, tensor in zip(names, state.values(), strict=True)}
    save_file(ours, tmp_path / "a.safetensors")
    ended = register(tmp_path / "a.safetensors", tmp_path / "out", model="softmax_regression")
    assert ended.reason == "completed", ended.detail
    assert report(tmp_path)["test_accuracy"] == pytest.approx(ACCURACY)
    wrong = register(tmp_path / "a.safetensors", tmp_path / "other", model="mlp")
    assert wrong.reason == "data_error"
    assert "do not fit 'mlp' for 10 classes" in wrong.detail
    unnamed = register(tmp_path / "a.safetensors", tmp_path / "third")
    assert "name it with model=" in unnamed.detail


def test_a_student_of_this_project_says_all_of_itself(tmp_path: Path) -> None:
    assert run_spec(DIGITS | {"baseline": False}, tmp_path / "first").reason == "completed"
    ended = register(tmp_path / "first" / "student.safetensors", tmp_path / "out")
    assert ended.reason == "completed", ended.detail
    assert report(tmp_path)["registered"]["normalisations_tried"] == [], "it knows how it was trained"
    told = json.loads((tmp_path / "first" / "report.json").read_text())["details"]["student"]
    assert report(tmp_path)["test_accuracy"] == told["test_accuracy"]


@pytest.mark.parametrize(("content", "message"), [
    (b"\x08\x08 not a model", "is not an ONNX model"),
    (linear_onnx(["N", 1, 16, 4]), "takes N x 1 x 16 x 4, and the data set's images are 1 x 8 x 8"),
    (linear_onnx(["N", 64], external=True), "keeps weights in other files"),
    (linear_onnx(["N", 64], inputs=2), "takes 2 inputs"),
])  # fmt: skip
def test_what_is_no_network_for_the_data_set_is_told(tmp_path: Path, content: bytes, message: str) -> None:
    ended = register_bytes(content, tmp_path)
    assert ended.reason == "data_error"
    assert message in ended.detail
    assert not (tmp_path / "out" / "model.safetensors").exists()


@pytest.mark.parametrize("shape", [[None, 3, 8, 8], [None, 8, 8, 3], [1, 3, "h", "w"]])
def test_other_channels_are_told_as_such(tmp_path: Path, shape: list[Any]) -> None:
    """No size helps a model of grey images with colour ones, or the other way."""
    finished = register_bytes(pooled_onnx(shape), tmp_path)
    assert finished.reason == "data_error"
    assert "takes images of 3 channels, and the data set's are grey" in finished.detail
    assert "height=" not in finished.detail


@pytest.mark.parametrize("shape", [[None, 3, 32, 32], [None, 32, 32, 3]])
def test_other_channels_and_another_size_are_told_together(tmp_path: Path, shape: list[Any]) -> None:
    """The right size alone would only lead to the next refusal."""
    finished = register_bytes(pooled_onnx(shape), tmp_path)
    assert finished.reason == "data_error"
    assert "the channels differ, 3 and 1, and the size too" in finished.detail
    assert "export it for images of 1 x 8 x 8" in finished.detail


def test_other_numbers_of_classes_are_told(tmp_path: Path) -> None:
    model = onnx.load_model_from_string(linear_onnx(["N", 64]))
    for tensor in model.graph.initializer:
        array = onnx.numpy_helper.to_array(tensor)[..., :7].copy()
        tensor.CopyFrom(onnx.numpy_helper.from_array(array, tensor.name))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 7
    ended = register_bytes(model.SerializeToString(), tmp_path)
    assert "names 10 classes: it has 'scores' (tensor(float), N x 7)" in ended.detail


@pytest.mark.parametrize(("rows", "message"), [
    (1, "it has 'scores' (tensor(float), 1 x 10)"),  # whatever it is given
    (32, "shape (32, 10); expected (26, 10)"),  # as many as it is tried with, and no fewer
])  # fmt: skip
def test_a_model_that_does_not_answer_for_each_image_is_told(tmp_path: Path, rows: int, message: str) -> None:
    model = onnx.load_model_from_string(linear_onnx(["N", 64]))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([rows, 10]), "shape"))
    for node in model.graph.node:
        if node.output[0] == "scores":
            node.output[0] = "all"
    model.graph.node.append(onnx.helper.make_node("ReduceMean", ["all"], ["mean"], axes=[0]))
    model.graph.node.append(onnx.helper.make_node("Expand", ["mean", "shape"], ["scores"]))
    model.graph.output[0].type.tensor_type.shape.dim[0].dim_param = "M"
    ended = register_bytes(model.SerializeToString(), tmp_path)
    assert ended.reason == "data_error", ended.detail
    assert message in ended.detail


def test_a_header_that_python_cannot_parse_is_no_want_of_memory(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "sent.npz", "w") as file:
        file.writestr("train.npy", b"\x93NUMPY\1\0" + (9000).to_bytes(2, "little") + b"-" * 8999 + b"1")
    ended = register(tmp_path / "sent.npz", tmp_path / "out")
    assert ended.reason == "data_error", ended.detail
    assert "'train.npy' has a broken header" in ended.detail


@pytest.mark.parametrize(("arrays", "message"), [
    ({"train": logits("train")}, "expected the arrays train and test"),
    ({"train": logits("train")[1:], "test": logits("test")}, "a row for each train image"),
    ({"train": logits("train"), "test": logits("test")[:, :9]}, "a column for each class"),
    ({"train": logits("train"), "test": logits("test") * np.nan}, "not finite"),
    ({"train": logits("train"), "test": logits("test").astype(np.float64) * 1e300}, "too large for 32 bits"),
])  # fmt: skip
def test_logits_that_do_not_fit_are_told(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    np.savez(tmp_path / "sent.npz", **arrays)
    ended = register(tmp_path / "sent.npz", tmp_path / "out")
    assert ended.reason == "data_error"
    assert message in ended.detail


def test_logits_take_no_normalisation(tmp_path: Path) -> None:
    np.savez(tmp_path / "sent.npz", train=logits("train"), test=logits("test"))
    with pytest.raises(ValidationError, match="recorded logits take no pixels"):
        register(tmp_path / "sent.npz", tmp_path / "out", mean=[0.5], std=[0.5])


@pytest.mark.parametrize("part", ["train", "test"])
def test_logits_of_shuffled_samples_are_refused(tmp_path: Path, part: str) -> None:
    arrays = {name: logits(name)[:, ORDER] for name in ("train", "test")}  # another fault does not hide it
    np.savez(tmp_path / "sent.npz", **arrays | {part: np.random.default_rng(0).permutation(arrays[part])})
    ended = register(tmp_path / "sent.npz", tmp_path / "out")
    assert ended.reason == "data_error"
    assert f"the rows of '{part}' are in another order than the images" in ended.detail


@pytest.mark.parametrize("dtype", [np.float64, np.float16])
def test_probabilities_that_were_recorded_are_told_and_taken_for_what_they_are(tmp_path: Path, dtype: Any) -> None:
    shares = {name: torch.from_numpy(logits(name)).softmax(dim=1).numpy().astype(dtype) for name in ("train", "test")}
    np.savez(tmp_path / "sent.npz", **shares)
    assert register(tmp_path / "sent.npz", tmp_path / "out").reason == "completed"
    [note] = report(tmp_path)["registered"]["notes"]
    assert "the rows are probabilities, not logits" in note
    found = registered_logits(tmp_path)
    assert found.isfinite().all()
    torch.testing.assert_close(found.softmax(dim=1), torch.from_numpy(logits("test")).softmax(dim=1), atol=1e-3, rtol=0)


def test_answers_that_depend_on_the_batch_are_not_kept_and_the_report_says_so(tmp_path: Path) -> None:
    (tmp_path / "sent.onnx").write_bytes(quantised_dynamically(linear_onnx(["N", 64])))
    assert register(tmp_path / "sent.onnx", tmp_path / "out").reason == "completed"
    [note] = report(tmp_path)["registered"]["notes"]
    assert "depends on those that it is asked with" in note
    spec = DIGITS | {"teacher": {"job": "job_1", "role": "model"}, "baseline": False, "training": {"epochs": 1}}
    files = (tmp_path / "out" / "model.safetensors",)
    assert run_spec(spec, tmp_path / "taught", networks=files).reason == "completed"
    told = json.loads((tmp_path / "taught" / "report.json").read_text())["teacher_cache"]
    assert told == {"0": {"off": "what the teacher says of an image depends on its batch, so its logits are not kept"}}


@pytest.mark.parametrize("form", ["onnx", "npz"])
def test_it_teaches_and_its_logits_are_cached(tmp_path: Path, form: str) -> None:
    path = tmp_path / f"sent.{form}"
    if form == "onnx":
        path.write_bytes(linear_onnx(["N", 64]))
    else:
        np.savez(path, train=logits("train"), test=logits("test"))
    assert register(path, tmp_path / "out").reason == "completed"
    spec = DIGITS | {"teacher": {"job": "job_1", "role": "model"}, "baseline": False, "training": {"epochs": 3}}
    ended = run_spec(spec, tmp_path / "taught", networks=(tmp_path / "out" / "model.safetensors",))
    assert ended.reason == "completed", ended.detail
    told = json.loads((tmp_path / "taught" / "report.json").read_text())
    assert told["rows"][0]["test_accuracy"]["mean"] == pytest.approx(ACCURACY)
    assert told["teacher_cache"]["0"]["hit_rate"] == pytest.approx(2 / 3)


def test_logits_and_augmentation_do_not_go_together(tmp_path: Path) -> None:
    np.savez(tmp_path / "sent.npz", train=logits("train"), test=logits("test"))
    assert register(tmp_path / "sent.npz", tmp_path / "out").reason == "completed"
    spec = DIGITS | {
        "teacher": {"job": "job_1", "role": "model"}, "training": {"epochs": 1, "augmentation": ["flip"]},
    }  # fmt: skip
    ended = run_spec(spec, tmp_path / "taught", networks=(tmp_path / "out" / "model.safetensors",))
    assert ended.reason == "invalid_spec"
    assert "train without augmentation" in ended.detail


def test_a_run_with_such_a_teacher_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "sent.onnx").write_bytes(linear_onnx(["N", 64]))
    assert register(tmp_path / "sent.onnx", tmp_path / "out").reason == "completed"
    files = (tmp_path / "out" / "model.safetensors",)
    spec = DIGITS | {"teacher": {"job": "job_1", "role": "model"}, "baseline": False}
    assert run_spec(spec, tmp_path / "whole", networks=files).reason == "completed"
    cut = run_spec(spec, tmp_path / "cut", Recorder(stop_after=4), networks=files)
    assert cut.reason == "interrupted"
    resumed = run_spec(spec, tmp_path / "cut", networks=files, resume_from=tmp_path / "cut" / "checkpoint.safetensors")
    assert resumed.reason == "completed", resumed.detail
    assert sha256_of(tmp_path / "cut" / "student.safetensors") == sha256_of(tmp_path / "whole" / "student.safetensors")


def test_a_registration_stops_when_asked(tmp_path: Path) -> None:
    (tmp_path / "sent.onnx").write_bytes(linear_onnx(["N", 64]))
    spec = {
        "kind": "register", "dataset": "digits", "format": "onnx", "upload_sha256": sha256_of(tmp_path / "sent.onnx"),
    }  # fmt: skip
    ended = run_spec(spec, tmp_path / "out", Recorder(stop_after=0), inputs={"upload": tmp_path / "sent.onnx"})
    assert ended.reason == "interrupted"
