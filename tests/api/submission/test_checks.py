"""Bad specs: each gets a status, a code and a pointer, and stores nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from jobs.settings import Settings
from tests.api.conftest import SPEC, Service, serving

CIFAR_NET = {"dataset": "cifar10", "teacher": "resnet20", "student": "resnet20", "temperature": 4}

BAD_SPECS: list[tuple[dict[str, Any], str, str, str]] = [
    (SPEC | {"tempratur": 5}, "/tempratur", "unknown_key", "did you mean 'temperature'"),
    (SPEC | {"training": {"epoch": 5}}, "/training/epoch", "unknown_key", "did you mean 'epochs'"),
    (
        SPEC | {"student": {"model": "mlp", "params": {"hiden": [3]}}},
        "/student/params/hiden",
        "unknown_key",
        "did you mean 'hidden'",
    ),
    (
        {"dataset": "digits", "teacher": "mlp", "student": "mlp", "losses": [{"kind": "kl", "temp": 3}]},
        "/losses/0/temp",
        "unknown_key",
        "temperature",
    ),
    (SPEC | {"a/b~c": 1}, "/a~1b~0c", "unknown_key", "unknown key 'a/b~c'"),
    (SPEC | {"student": "softmax_regresion"}, "/student", "unknown_name", "did you mean 'softmax_regression'"),
    (SPEC | {"teacher": {"model": "vgg99"}}, "/teacher/model", "unknown_name", "Known: "),
    (SPEC | {"dataset": "mnits"}, "/dataset", "unknown_name", "did you mean 'mnist'"),
    (
        {"dataset": "digits", "teacher": "mlp", "student": "mlp", "losses": ["klx"]},
        "/losses/0",
        "unknown_name",
        "did you mean 'kl'",
    ),
    (SPEC | {"student": "resnet18"}, "/student", "unknown_name", "before theirs: 'timm/resnet18'."),
    (SPEC | {"student": "timm/resnet19"}, "/student", "unknown_name", "timm has no network 'resnet19'; did you mean"),
    (SPEC | {"student": "timm/banana"}, "/student", "unknown_name", "timm has no network 'banana'"),
    (SPEC | {"student": "timm/resnet18.a1_in2k"}, "/student", "unknown_name", "did you mean 'timm/resnet18.a1_in1k'?"),
    (SPEC | {"student": "timm/inception_v3"}, "/student", "does_not_fit", "needs images of at least 75 pixels"),
    (SPEC | {"teacher": "timm/vit_tiny_patch16_224"}, "/teacher", "does_not_fit", "multiples of 16 pixels"),
    (CIFAR_NET | {"student": "timm/csatv2"}, "/student", "does_not_fit", "at least 64 pixels"),
    (
        {"dataset": "cifar10", "teacher": "timm/levit_128s", "student": "resnet20", "losses": ["at"]},
        "/losses/0",
        "does_not_fit",
        "the teacher 0",
    ),
    (
        SPEC | {"student": {"model": "timm/test_resnet", "params": {"weights_file": "none.safetensors"}}},
        "/student/params/weights_file",
        "weights_absent",
        "put it there first",
    ),
    (SPEC | {"losses": [{"kind": "kl"}]}, "", "two_forms", "short form"),
    (SPEC | {"alpha": 0.5, "ce_weight": 1}, "", "two_forms", "long form"),
    (SPEC | {"temperature": 0}, "/temperature", "greater_than", "greater than 0"),
    (SPEC | {"temperature": -1}, "/temperature", "greater_than", "greater than 0"),
    (SPEC | {"temperature": 1e308}, "/temperature", "less_than_equal", "1000"),
    (SPEC | {"temperature": "hot"}, "/temperature", "float_type", "number"),
    (SPEC | {"temperature": "NaN"}, "/temperature", "float_type", "number"),
    (SPEC | {"alpha": 1.5}, "/alpha", "less_than_equal", "equal to 1"),
    (SPEC | {"alpha": -0.1}, "/alpha", "greater_than_equal", "equal to 0"),
    (SPEC | {"training": {"epochs": 0}}, "/training/epochs", "greater_than_equal", "equal to 1"),
    (SPEC | {"training": {"epochs": 10**9}}, "/training/epochs", "less_than_equal", "10000"),
    (SPEC | {"training": {"epochs": 10**300}}, "/training/epochs", "less_than_equal", "10000"),
    (
        SPEC | {"student": {"model": "mlp", "params": {"num_classes": 7}}},
        "/student/params/num_classes",
        "does_not_fit",
        "10 classes",
    ),
    (
        SPEC | {"student": {"model": "mlp", "params": {"in_channels": 3}}},
        "/student/params/in_channels",
        "does_not_fit",
        "1 channels",
    ),
    (SPEC | {"teacher": {"job": "../etc"}}, "/teacher/job", "string_pattern_mismatch", "pattern"),
    (SPEC | {"teacher": {"job": "job_0", "model": "mlp"}}, "/teacher", "one_of", "give one"),
    (SPEC | {"teacher": {"job": "job_0000"}}, "/teacher/job", "job_not_found", "there is no job 'job_0000'"),
    ({"dataset": "digits", "student": "mlp"}, "/teacher", "missing", "required"),
    (SPEC | {"name": 3}, "/name", "string_type", "string"),
    (SPEC | {"labels": {"": "x"}}, "/labels", "bad_label", "1 to 63"),
    (SPEC | {"repeats": 1000}, "/repeats", "less_than_equal", "100"),
]


@pytest.mark.parametrize("query", ["", "?validate_only=true"])
@pytest.mark.parametrize(("body", "pointer", "code", "text"), BAD_SPECS)
def test_bad_specs(service: Service, body: dict[str, Any], pointer: str, code: str, text: str, query: str) -> None:
    newest = service.client.get("/jobs?page_size=1").json()["jobs"]
    answer = service.client.post(f"/jobs{query}", json=body)
    problem = answer.json()
    error = problem["errors"][0]
    assert (answer.status_code, problem["code"]) == (422, "invalid_spec")
    assert (error["pointer"], error["code"]) == (pointer, code)
    assert text in error["message"]
    assert error["message"] in problem["detail"]
    assert service.client.get("/jobs?page_size=1").json()["jobs"] == newest


def test_all_mistakes_are_told_at_once(service: Service) -> None:
    problem = service.client.post("/jobs", json=SPEC | {"temperature": 0, "seed": -1}).json()
    assert [error["pointer"] for error in problem["errors"]] == ["/temperature", "/seed"]
    assert "2 mistakes" in problem["detail"]


def test_a_flood_of_mistakes_gets_a_short_answer(service: Service) -> None:
    answer = service.client.post("/jobs", json=SPEC | {f"unknown{number}": 0 for number in range(10_000)})
    assert len(answer.json()["errors"]) == 50
    assert len(answer.content) < 200_000


@pytest.mark.parametrize("state", [JobState.QUEUED, JobState.RUNNING, JobState.FAILED, JobState.CANCELLED])
@pytest.mark.parametrize("query", ["", "?validate_only=true"])
def test_a_teacher_must_have_succeeded(service: Service, state: JobState, query: str) -> None:
    teacher = service.job_in(state)
    problem = service.client.post(f"/jobs{query}", json=SPEC | {"teacher": {"job": teacher}}).json()
    (error,) = problem["errors"]
    assert (error["pointer"], error["code"]) == ("/teacher/job", "job_not_succeeded")
    assert f"is {state}" in error["message"]


def test_a_succeeded_job_can_teach_and_so_can_its_pupil(service: Service) -> None:
    first = service.job_in(JobState.SUCCEEDED)
    second = service.create(teacher={"job": first})
    service.end(second, EndReason.COMPLETED)
    third = service.client.post("/jobs", json=SPEC | {"teacher": {"job": second, "role": "teacher"}})
    assert third.status_code == 201
    assert third.json()["spec"]["teacher"] == {"job": second, "role": "teacher", "params": {}, "per_repeat": False}


def test_a_teacher_of_a_teacher_that_was_deleted_is_left_to_the_worker(service: Service) -> None:
    first = service.job_in(JobState.SUCCEEDED)
    second = service.create(teacher={"job": first})
    service.end(second, EndReason.COMPLETED)
    assert service.client.delete(f"/jobs/{first}").status_code == 204
    service.create(teacher={"job": second, "role": "teacher"})


def test_an_ensemble_is_made_of_succeeded_jobs(service: Service) -> None:
    first, second = service.job_in(JobState.SUCCEEDED), service.job_in(JobState.SUCCEEDED)
    members = [{"job": first, "role": "student"}, {"job": second, "role": "baseline"}]
    answer = service.client.post("/jobs", json=SPEC | {"teacher": {"ensemble": [first, members[1]]}})
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"]["teacher"]["ensemble"] == members
    queued = service.job_in(JobState.QUEUED)
    problem = service.client.post("/jobs", json=SPEC | {"teacher": {"ensemble": [first, queued]}}).json()
    (error,) = problem["errors"]
    assert (error["pointer"], error["code"]) == ("/teacher/ensemble/1/job", "job_not_succeeded")


def test_a_job_that_an_ensemble_taught_can_lend_it_but_no_feature_maps(service: Service) -> None:
    first, second = service.job_in(JobState.SUCCEEDED), service.job_in(JobState.SUCCEEDED)
    taught = service.create(teacher={"ensemble": [first, second]})
    service.end(taught, EndReason.COMPLETED)
    lent = {"job": taught, "role": "teacher"}
    service.create(teacher=lent)
    service.create(teacher={"ensemble": [lent, first]})
    body = {"dataset": "digits", "teacher": lent, "student": "mnist_cnn", "losses": ["sp"]}
    (error,) = service.client.post("/jobs", json=body).json()["errors"]
    assert (error["pointer"], error["code"]) == ("/teacher/job", "does_not_fit")
    assert "ensembles and plain layers have none" in error["message"]
    evaluation = {"kind": "evaluate", "dataset": "digits", "model": lent}
    assert service.client.post("/jobs", json=evaluation).status_code == 201


def test_a_teacher_for_other_images_does_not_fit(downloading: Service) -> None:
    teacher = downloading.create(**CIFAR_NET)
    downloading.end(teacher, EndReason.COMPLETED)
    problem = downloading.client.post("/jobs", json=SPEC | {"teacher": {"job": teacher}}).json()
    (error,) = problem["errors"]
    assert (error["pointer"], error["code"]) == ("/teacher/job", "does_not_fit")
    assert teacher in error["message"]
    assert "channels" in error["message"]


@pytest.mark.parametrize(
    ("dataset", "words"), [("mnist", "of 8x8 pixels in 1 channel, and those of mnist are of 28x28")]
)
def test_a_teacher_of_another_size_does_not_fit(downloading: Service, dataset: str, words: str) -> None:
    teacher = downloading.job_in(JobState.SUCCEEDED)
    body = SPEC | {"dataset": dataset, "teacher": {"job": teacher}}
    (error,) = downloading.client.post("/jobs", json=body).json()["errors"]
    assert (error["pointer"], error["code"]) == ("/teacher/job", "does_not_fit")
    assert words in error["message"]


@pytest.fixture(scope="module")
def downloading(service: Service) -> Service:
    """The shared api may download what is missing, so data sets that are not here are accepted."""
    assert service.context.settings.download
    return service


def test_a_data_set_that_is_missing_and_may_not_be_downloaded(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, broker_url="memory://", download=False, data_dir=tmp_path / "sets")
    with serving(settings) as service:
        answer = service.client.post("/jobs", json=SPEC | {"dataset": "mnist"})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["pointer"], error["code"]) == (422, "/dataset", "data_set_absent")
        assert str(tmp_path / "sets" / "MNIST/raw") in error["message"]
        assert "KD_DATA_DIR" in error["message"]
        service.create(dataset="digits")
        folder = tmp_path / "sets" / "MNIST/raw"
        folder.mkdir(parents=True)
        for part in ("train-images-idx3", "train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"):
            (folder / f"{part}-ubyte").touch()
        service.create(dataset="mnist")


def test_a_users_own_folder_is_looked_for_by_its_parameters(tmp_path: Path) -> None:
    dataset = {"name": "image_folder", "params": {"folder": "pets", "height": 8, "width": 8}}
    settings = Settings(home=tmp_path, broker_url="memory://", data_dir=tmp_path / "sets")
    with serving(settings) as service:
        answer = service.client.post("/jobs", json=SPEC | {"dataset": dataset})
        (error,) = answer.json()["errors"]
        assert (answer.status_code, error["pointer"], error["code"]) == (422, "/dataset", "data_set_absent")
        assert "params.folder is 'pets'" in error["message"]
        assert str(tmp_path) not in error["message"]
        for part in ("train", "val"):
            (tmp_path / "sets" / "pets" / part).mkdir(parents=True)
        service.create(dataset=dataset)
