"""What people sent is called by its name in specs, and by name and id in jobs and lists."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pytest

from distillery.states import EndReason
from tests.api.conftest import SPEC, Service
from tests.api.routes.test_datasets import ready
from tests.kd_engine.intake.archives import by_class, zipped
from tests.kd_engine.intake.networks import linear_onnx


@pytest.fixture
def service(own_service: Service) -> Service:
    return own_service


def _dataset(service: Service, folder: Path, name: str, pictures: int = 3) -> str:
    """The id of a data set that is ready, of so many pictures a class."""
    content = zipped(folder / "a.zip", by_class(pictures)).read_bytes()
    return ready(service, content, folder, name=name)


def _model(service: Service, name: str, **network: Any) -> dict[str, Any]:
    """A model that a worker has looked at."""
    query = {"dataset": "digits", "name": name}
    answer = service.client.post("/models", content=linear_onnx(["N", 64], **network), params=query)
    assert answer.status_code in (200, 201), answer.text
    sent = dict(answer.json())
    if answer.status_code == 201:
        token = service.start(sent["job"])
        with service.context.database.write() as repository:
            service.context.remove(repository.finish(sent["job"], token, EndReason.COMPLETED, "", []))
    return sent


def _posted(service: Service, **changes: Any) -> dict[str, Any]:
    answer = service.client.post("/jobs", json=SPEC | changes)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def _refused(service: Service, **changes: Any) -> dict[str, str]:
    answer = service.client.post("/jobs", json=SPEC | changes)
    assert answer.status_code == 422, answer.text
    return dict(answer.json()["errors"][0])


def test_a_data_set_is_called_by_its_name(service: Service, tmp_path: Path) -> None:
    dataset_id = _dataset(service, tmp_path, "photos of cats")
    named = {"dataset": {"id": dataset_id, "name": "photos of cats"}}
    job = _posted(service, dataset={"name": "photos of cats", "params": {"height": 8, "width": 8}, "validation": 10})
    assert (job["spec"]["dataset"]["name"], job["spec"]["dataset"]["params"]["id"]) == ("uploaded", dataset_id)
    assert (job["spec"]["dataset"]["params"]["height"], job["spec"]["dataset"]["validation"]) == (8, 10)
    assert job["names"] == named
    shown = service.client.get(f"/jobs/{job['id']}").json()
    assert shown["names"] == named
    for other in (dataset_id, "photos of cats", job["spec"]["dataset"]):
        checked = service.client.post("/jobs?validate_only=true", json=SPEC | {"dataset": other}).json()
        assert checked["names"] == named
    for called in ("photos of cats", dataset_id):
        [listed] = service.client.get("/jobs", params={"dataset": called}).json()["jobs"]
        assert (listed["id"], listed["names"]) == (job["id"], named)
    # a name that nobody gave is none
    assert _posted(service)["names"] == {}


def test_a_model_is_called_by_its_name_wherever_one_may_stand(service: Service) -> None:
    first, second = _model(service, "big"), _model(service, "other one", softmax=True)
    names = {"id": first["id"], "name": "big"}
    for teacher in ("big", {"model": "big"}, {"job": first["job"], "role": "model"}):
        job = _posted(service, teacher=teacher)
        assert job["spec"]["teacher"] == {"job": first["job"], "role": "model"} | job["spec"]["teacher"]
        assert job["names"] == {"teacher": names}
    job = _posted(service, teacher={"ensemble": ["big", {"model": "other one"}]})
    assert [member["job"] for member in job["spec"]["teacher"]["ensemble"]] == [first["job"], second["job"]]
    assert job["names"]["teacher/ensemble/1"] == {"id": second["id"], "name": "other one"}
    answer = service.client.post("/evaluations", json={"dataset": "digits", "model": "big", "teacher": "other one"})
    assert answer.status_code == 201, answer.text
    assert (answer.json()["spec"]["model"]["job"], answer.json()["names"]["model"]) == (first["job"], names)


def test_of_several_of_one_name_the_newest_is_meant_also_when_it_is_sent_again(
    service: Service, tmp_path: Path
) -> None:
    content = zipped(tmp_path / "first.zip", by_class(3)).read_bytes()  # made once: a zip holds the time
    first = ready(service, content, tmp_path, name="photos")
    second = _dataset(service, tmp_path, "photos", 4)
    assert _posted(service, dataset="photos")["names"]["dataset"]["id"] == second
    again = service.client.post("/datasets", content=content, params={"name": "photos"})
    assert (again.status_code, again.json()["id"]) == (200, first)
    job = _posted(service, dataset="photos")
    assert job["names"]["dataset"]["id"] == first
    # under another name it is the same data set, of that name; jobs say what they were asked
    service.client.post("/datasets", content=content, params={"name": "pets"})
    assert _posted(service, dataset="pets")["names"]["dataset"] == {"id": first, "name": "pets"}
    assert service.client.get(f"/jobs/{job['id']}").json()["names"] == job["names"]
    assert _posted(service, dataset="photos")["names"]["dataset"]["id"] == second


def test_a_retry_has_what_the_name_stood_for_and_so_has_a_request_that_comes_twice(
    service: Service, tmp_path: Path
) -> None:
    first = _dataset(service, tmp_path, "photos", 3)
    headers = {"Idempotency-Key": "once"}
    job = service.client.post("/jobs", json=SPEC | {"dataset": "photos"}, headers=headers)
    service.client.post(f"/jobs/{job.json()['id']}/cancel")
    _dataset(service, tmp_path, "photos", 4)
    twice = service.client.post("/jobs", json=SPEC | {"dataset": "photos"}, headers=headers)
    assert twice.content == job.content
    again = service.client.post(f"/jobs/{job.json()['id']}/retry").json()
    assert again["spec"]["dataset"]["params"]["id"] == again["names"]["dataset"]["id"] == first


def test_the_newest_is_meant_also_while_it_is_being_checked(service: Service, tmp_path: Path) -> None:
    _dataset(service, tmp_path, "photos", 3)
    content = zipped(tmp_path / "a.zip", by_class(4)).read_bytes()
    newer = service.client.post("/datasets", content=content, params={"name": "photos"}).json()["id"]
    error = _refused(service, dataset="photos")
    assert (error["pointer"], error["code"]) == ("/dataset", "dataset_not_ready")
    assert f"'photos' ({newer})" in error["message"]


def test_every_spelling_of_a_letter_is_the_same_name(service: Service, tmp_path: Path) -> None:
    one, other = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    dataset_id = _dataset(service, tmp_path, other)
    assert _posted(service, dataset=one)["names"]["dataset"]["id"] == dataset_id


def test_a_near_miss_knows_the_names_of_what_was_sent(service: Service, tmp_path: Path) -> None:
    service.client.post("/datasets", content=zipped(tmp_path / "a.zip", by_class(3)).read_bytes(),
                        params={"name": "photos"})  # fmt: skip
    _model(service, "big resnet")
    for changes, pointer, words in (
        ({"dataset": "fotos"}, "/dataset", "did you mean 'photos'?"),
        ({"dataset": {"name": "x"}}, "/dataset/name", "You have sent 'photos'."),
        ({"teacher": "big resnt"}, "/teacher", "Of what you sent, did you mean 'big resnet'?"),
        ({"teacher": {"model": "gib"}}, "/teacher/model", "You have sent 'big resnet'."),
        ({"teacher": {"ensemble": ["big resnet", "big resnte"]}}, "/teacher/ensemble/1", "mean 'big resnet'?"),
    ):
        error = _refused(service, **changes)
        assert (error["pointer"], words in error["message"]) == (pointer, True), error
    answer = service.client.post("/evaluations", json={"dataset": "digits", "model": "big resnets"})
    assert "did you mean 'big resnet'?" in answer.json()["errors"][0]["message"]


@pytest.mark.parametrize(("path", "name", "words"), [
    ("/datasets", "digits", "the name of a data set of the catalogue"),
    ("/datasets", "ds_1", "written as an id is"),
    ("/models", "resnet8", "the name of a network of the catalogue"),
    ("/models", "timm/resnet18", "the name of a network of the catalogue"),
])  # fmt: skip
def test_nothing_gets_a_name_that_specs_use_for_something_else(
    service: Service, path: str, name: str, words: str
) -> None:
    query = {"name": name} if path == "/datasets" else {"name": name, "dataset": "digits"}
    answer = service.client.post(path, content=b"", params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert words in answer.json()["detail"]


def test_a_network_is_not_kept_under_a_name_of_the_catalogue(service: Service) -> None:
    answer = service.client.post("/models/promote", json={"job": service.create(), "name": "resnet8"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
