"""Every mistake in a spec is answered with where it is, what it is and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from kd_engine.jobspec import JobSpec
from kd_engine.jobspec.problems import FieldProblem, field_problems

Body = Callable[..., dict[str, Any]]
NAN, INFINITY = float("nan"), float("inf")
LONG: dict[str, Any] = {"temperature": None}


def problems(body: Any) -> list[FieldProblem]:
    with pytest.raises(ValidationError) as caught:
        JobSpec.model_validate(body)
    return field_problems(caught.value, body)


CASES: list[tuple[dict[str, Any], str, str, str]] = [
    # changes, pointer, code, a part of the message
    ({"name": "a\0b"}, "/name", "bad_text", "NUL"),
    ({"labels": {"team": "\ud800"}}, "/labels/team", "string_unicode", "unicode"),
    (
        {"dataset": "digits", "training": {"augmentation": [{"name": "crop", "padding": 8, "mode": "reflect"}]}},
        "/training/augmentation/0",
        "does_not_fit",
        "these have 8",
    ),
    (
        {"student": {"model": "mlp", "params": {"hidden": [16_384] * 16}}},
        "/student/params",
        "too_many",
        "at most 500,000,000",
    ),
    ({"temperatur": 3}, "/temperatur", "unknown_key", "did you mean 'temperature'?"),
    ({"zzz": 3}, "/zzz", "unknown_key", "kind, name, dataset, teacher"),
    ({"a/b~c": 3}, "/a~1b~0c", "unknown_key", "unknown key 'a/b~c'."),
    ({"training": {"epoch": 3}}, "/training/epoch", "unknown_key", "did you mean 'epochs'?"),
    (
        {"training": {"optimizer": {"name": "adam", "lrr": 1}}},
        "/training/optimizer/lrr",
        "unknown_key",
        "did you mean 'lr'?",
    ),
    (
        {"teacher": {"model": "mlp", "training": {"schedule": {"name": "cosine", "finl": 1}}}},
        "/teacher/training/schedule/finl",
        "unknown_key",
        "did you mean 'final'?",
    ),
    (LONG | {"losses": ["at", {"kind": "kl", "weigth": 1}]}, "/losses/1/weigth", "unknown_key", "'weight'?"),
    ({"student": {"model": "mlp", "params": {"hiden": [3]}}}, "/student/params/hiden", "unknown_key", "'hidden'?"),
    ({"epochs": 3}, "/epochs", "unknown_key", "as 'training.epochs' or 'teacher.training.epochs'"),
    ({"training": {"lr": 3}}, "/training/lr", "unknown_key", "as 'training.optimizer.lr'."),
    ({"training": {"temperature": 3}}, "/training/temperature", "unknown_key", "'temperature' at the top"),
    ({"batchsize": 3}, "/batchsize", "unknown_key", "as 'training.batch_size'"),
    ({"teacher": {"model": "mlp", "epochs": 3}}, "/teacher/epochs", "unknown_key", "as 'teacher.training.epochs'."),
    ({"dataset": {"name": "digits", "height": 8}}, "/dataset/height", "unknown_key", "'dataset.params.height'"),
    ({"student": {"model": "mlp", "hidden": [8]}}, "/student/hidden", "unknown_key", "'student.params.hidden'"),
    ({"teacher": {"path": "teacher.pt"}}, "/teacher/path", "unknown_key", "POST /models"),
    ({"teacher": "/home/me/teacher.pt"}, "/teacher", "unknown_name", "POST /models"),
    ({"student": "student.safetensors"}, "/student", "unknown_name", "from the catalogue"),
    ({"student": "resnet50"}, "/student", "unknown_name", "'resnet50'. Networks of the timm library"),
    ({"student": "resnet18"}, "/student", "unknown_name", "'timm/resnet18'"),
    ({"student": "flower_cnn"}, "/student", "unknown_name", "did you mean 'flowers_cnn'?"),
    ({"dataset": "photos"}, "/dataset", "unknown_name", "GET /datasets"),
    ({"dataset": "/home/me/photos"}, "/dataset", "unknown_name", "POST /datasets"),
    (
        {"dataset": {"name": "image_folder", "params": {"folder": "/home/me/photos", "height": 8, "width": 8}}},
        "/dataset/params/folder",
        "string_pattern_mismatch",
        "a place below KD_DATA_DIR",
    ),
    ({"temperature": [1, 2]}, "/temperature", "float_type", "POST /sweeps"),
    ({"dataset": "ds_01M7X2T4VQ3RZJ8N5Y6W9KBC0D"}, "/dataset", "unknown_name", "was sent to a service"),
    ({"dataset": "mnits"}, "/dataset", "unknown_name", "unknown data set 'mnits'; did you mean 'mnist'?"),
    ({"dataset": {"name": "mnits"}}, "/dataset/name", "unknown_name", "did you mean 'mnist'?"),
    ({"student": "softmax_regresion"}, "/student", "unknown_name", "did you mean 'softmax_regression'?"),
    ({"teacher": {"model": "resnet_20"}}, "/teacher/model", "unknown_name", "did you mean 'resnet20'?"),
    (LONG | {"losses": ["lk"]}, "/losses/0", "unknown_name", "unknown loss 'lk'. Known: at, crd, dist,"),
    (LONG | {"losses": [{"kind": "logit"}]}, "/losses/0", "unknown_name", "did you mean 'logits'?"),
    ({"training": {"optimizer": "addam"}}, "/training/optimizer", "unknown_name", "did you mean 'adam'?"),
    ({"training": {"schedule": "cosin"}}, "/training/schedule", "unknown_name", "did you mean 'cosine'?"),
    ({"training": {"augmentation": ["crop", "flop"]}}, "/training/augmentation/1", "unknown_name", "'flip'?"),
    ({"losses": ["kl"]}, "", "two_forms", "'temperature' (short form) and 'losses' (long form)"),
    (LONG | {"alpha": 0.5, "ce_weight": 0.5}, "", "two_forms", "'alpha' (short form) and 'ce_weight' (long form)"),
    (LONG | {"ce_weight": 0.5}, "/ce_weight", "two_forms", "give 'losses' as well"),
    ({"temperature": 0}, "/temperature", "greater_than", "greater than 0; got 0."),
    ({"temperature": -1}, "/temperature", "greater_than", "greater than 0; got -1."),
    ({"temperature": NAN}, "/temperature", "finite_number", "finite number; got nan."),
    ({"temperature": INFINITY}, "/temperature", "finite_number", "finite number; got inf."),
    ({"temperature": 1e308}, "/temperature", "less_than_equal", "less than or equal to 1000; got 1e+308."),
    ({"temperature": "warm"}, "/temperature", "float_type", "valid number"),
    (LONG | {"losses": [{"kind": "kl", "temperature": 0}]}, "/losses/0/temperature", "greater_than", "got 0."),
    (LONG | {"losses": [{"kind": "kl", "weight": NAN}]}, "/losses/0/weight", "finite_number", "got nan."),
    ({"alpha": -0.1}, "/alpha", "greater_than_equal", "greater than or equal to 0; got -0.1."),
    ({"alpha": 1.1}, "/alpha", "less_than_equal", "less than or equal to 1; got 1.1."),
    ({"alpha": NAN}, "/alpha", "finite_number", "got nan."),
    ({"training": {"epochs": 0}}, "/training/epochs", "greater_than_equal", "got 0."),
    ({"training": {"epochs": 10**9}}, "/training/epochs", "less_than_equal", "equal to 10000; got 1000000000."),
    ({"teacher": {"model": "mlp", "training": {"epochs": 0}}}, "/teacher/training/epochs", "greater_than_equal", "0"),
    ({"training": {"batch_size": 0}}, "/training/batch_size", "greater_than_equal", "got 0."),
    ({"training": {"optimizer": {"name": "sgd", "lr": 0}}}, "/training/optimizer/lr", "greater_than", "got 0."),
    ({"training": {"precision": "fp8"}}, "/training/precision", "literal_error", "'auto', 'float32' or 'bf16'"),
    (
        {"student": {"model": "mlp", "params": {"num_classes": 100}}},
        "/student/params/num_classes",
        "does_not_fit",
        "num_classes is 100, but mnist has 10 classes",
    ),
    (
        {"student": {"model": "mlp", "params": {"in_channels": 3}}},
        "/student/params/in_channels",
        "does_not_fit",
        "in_channels is 3, but mnist has 1 channels",
    ),
    (
        {"teacher": {"model": "mlp", "params": {"num_classes": 2}}},
        "/teacher/params/num_classes",
        "does_not_fit",
        "num_classes is 2, but mnist has 10 classes",
    ),
    (LONG | {"losses": ["at"]}, "/losses/0", "does_not_fit", "the student has 0 stages"),
    (
        LONG | {"losses": ["at"], "student": "resnet20"},
        "/losses/0",
        "does_not_fit",
        "the student has 3 stages and the teacher 2",
    ),
    ({"student": {"model": "mlp", "params": {"hidden": [4, 0]}}}, "/student/params/hidden/1", "greater_than_equal", ""),
    ({"teacher": {}}, "/teacher", "one_of", "'model' (trained first), 'job' (taken from it) or 'ensemble'"),
    ({"teacher": {"model": "mlp", "ensemble": ["job_1", "job_2"]}}, "/teacher", "one_of", "give one"),
    ({"teacher": {"ensemble": ["job_1", "job_2"], "seed": 3}}, "/teacher", "one_of", "leave out all but 'ensemble'"),
    ({"teacher": {"ensemble": ["job_1", "job_2"], "role": "student"}}, "/teacher", "one_of", "it means nothing"),
    ({"teacher": {"ensemble": ["job_1"]}}, "/teacher/ensemble", "too_short", "at least 2 items"),
    ({"teacher": {"ensemble": [f"job_{n}" for n in range(17)]}}, "/teacher/ensemble", "too_long", "at most 16 items"),
    ({"teacher": {"ensemble": ["job_1", "job_2", {"job": "job_1"}]}}, "/teacher/ensemble", "listed_twice", "each once"),
    ({"export": ["onnx", "onx_int8"]}, "/export/1", "unknown_name", "did you mean 'onnx_int8'?"),
    ({"export": ["onnx_int8"]}, "/export", "one_of", "'onnx_int8' is made from 'onnx': list both, or neither."),
    ({"export": ["onnx", "onnx"]}, "/export", "listed_twice", "each once"),
    ({"teacher": {"ensemble": ["job_1", "../x"]}}, "/teacher/ensemble/1", "string_pattern_mismatch", "got '../x'"),
    (
        {**LONG, "teacher": {"ensemble": ["job_1", "job_2"]}, "student": "mnist_cnn", "losses": ["kl", "sp"]},
        "/losses/1",
        "does_not_fit",
        "ensembles and plain layers have none",
    ),
    (
        {"teacher": {"model": "mlp", "training": {"compile": True}}},
        "/teacher/training/compile",
        "not_used",
        "in the job's own 'training'",
    ),
    ({"teacher": {"job": "job_1", "epocs": 3}}, "/teacher/epocs", "unknown_key", "did you mean 'epoch'?"),
    ({"teacher": {"model": "mlp", "job": "job_1"}}, "/teacher", "one_of", "give one"),
    ({"teacher": {"job": "job_1", "seed": 3}}, "/teacher", "one_of", "leave out all but 'job', 'role' and 'epoch'"),
    ({"teacher": {"model": "mlp", "role": "student"}}, "/teacher", "one_of", "without 'job' it means nothing"),
    ({"teacher": {"job": "../../etc"}}, "/teacher/job", "string_pattern_mismatch", "got '../../etc'."),
    ({"dataset": {"name": "mnist", "validation": 0}}, "/dataset/validation", "greater_than", "got 0."),
    ({"dataset": {"name": "mnist", "validation": 30_001}}, "/dataset/validation", "too_many", "at most half"),
    ({"dataset": {"name": "mnist", "mean": [0.1, 0.2]}}, "/dataset/mean", "wrong_shape", "mnist has 1 channels"),
    ({"dataset": {"name": "mnist", "std": [0]}}, "/dataset/std/0", "greater_than", "got 0."),
    ({"dataset": {"name": "mnist", "mean": [NAN]}}, "/dataset/mean/0", "finite_number", "got nan."),
    ({"dataset": 3}, "/dataset", "model_type", "got 3."),
    ({"dataset": None}, "/dataset", "missing", "this key is required."),
    ({"student": None}, "/student", "missing", "this key is required."),
    (LONG | {"losses": []}, "/losses", "too_short", "at least 1 item"),
    (LONG | {"losses": [{"temperature": 2}]}, "/losses/0", "missing_name", "one of at, crd, dist,"),
    (LONG | {"losses": [3]}, "/losses/0", "missing_name", "expected a loss: its name"),
    (LONG | {"losses": ["kl"] * 17}, "/losses", "too_long", "at most 16 items"),
    ({"seed": -1}, "/seed", "greater_than_equal", "got -1."),
    ({"seed": 2**31}, "/seed", "less_than_equal", "got 2147483648."),
    ({"repeats": 101}, "/repeats", "less_than_equal", "got 101."),
    ({"name": "x" * 201}, "/name", "string_too_long", "at most 200 characters"),
    ({"labels": {"": "x"}}, "/labels", "bad_label", "1 to 63 characters"),
    ({"resources": {"device": "tpu"}}, "/resources/device", "literal_error", "'auto', 'cpu' or 'cuda'"),
    ({"resources": {"devices": 0}}, "/resources/devices", "greater_than_equal", "got 0."),
]


@pytest.mark.parametrize(("changes", "pointer", "code", "part"), CASES, ids=lambda value: str(value)[:60])
def test_each_mistake_has_one_problem_with_its_place(
    body: Body, changes: dict[str, Any], pointer: str, code: str, part: str
) -> None:
    [problem] = problems(body(**changes))

    assert problem.pointer == pointer
    assert problem.code == code
    assert part in problem.message


@pytest.mark.parametrize("document", [[], "mnist", 3, None, True], ids=str)
def test_what_is_not_an_object_is_refused_as_a_whole(document: Any) -> None:
    [problem] = problems(document)

    assert problem.pointer == ""
    assert "dictionary" in problem.message


def test_all_mistakes_are_told_at_once(body: Body) -> None:
    found = problems(
        body(student="mpl", alpha=2, training={"epochs": 0, "optimizer": {"name": "sgd", "momentum": 1}, "keep": "all"})
    )

    assert {problem.pointer for problem in found} == {
        "/student",
        "/alpha",
        "/training/epochs",
        "/training/optimizer/momentum",
        "/training/keep",
    }


def test_each_of_several_unknown_keys_has_its_place(body: Body) -> None:
    found = problems(body(alhpa=1, sed=2))

    assert [problem.pointer for problem in found] == ["/alhpa", "/sed"]
    for problem, own, others in zip(found, ("alhpa", "sed"), ("sed'", "alhpa"), strict=True):
        assert own in problem.message
        assert others not in problem.message


def test_thousands_of_unknown_keys_are_answered_shortly(body: Body) -> None:
    found = problems(body(**{f"key{number}": 0 for number in range(5000)}))

    assert len(found) == 5000
    assert sum(len(problem.message) for problem in found) < 500_000


@pytest.mark.parametrize(
    "path", ["/home/me/photos", "~/photos", "C:\\photos", "../photos", "photos/../x", ".hidden", "", "a//b"]
)
def test_a_path_out_of_the_data_folder_is_told_what_is_taken(body: Body, path: str) -> None:
    [problem] = problems(body(dataset={"name": "arrays", "params": {"path": path}}))

    assert problem.pointer == "/dataset/params/path"
    assert f"'{path}'" in problem.message
    assert "POST /datasets" in problem.message


def test_every_place_that_is_told_is_one(body: Body) -> None:
    """A walk over the schema: what it finds is a path of keys from the top."""
    from kd_engine.jobspec import misplaced_keys

    found = misplaced_keys._places()
    assert ("training", "optimizer", "lr") in found["lr"]
    assert ("losses", "[]", "temperature") in found["temperature"]
    assert all(paths == sorted(paths, key=len) for paths in found.values())


def test_a_missing_key_inside_a_list_has_its_place(body: Body) -> None:
    found = problems(body(temperature=None, losses=[{"kind": "kl"}, {}]))

    assert [problem.pointer for problem in found] == ["/losses/1"]


def test_long_values_are_not_repeated_in_full(body: Body) -> None:
    [problem] = problems(body(resources={"device": "x" * 10_000}))

    assert len(problem.message) < 200


def test_images_too_small_for_the_network_are_refused_by_name(body: Body, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from kd_engine.catalog import DATASETS

    monkeypatch.setitem(DATASETS, "tiny", replace(DATASETS["digits"], name="tiny", shape=(1, 3, 5)))

    [problem] = problems(body(dataset="tiny"))

    assert problem.pointer == "/teacher"
    assert "'mnist_cnn' needs images of at least 4 pixels a side; those of tiny have 3." in problem.message
