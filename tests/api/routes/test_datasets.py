"""Sending data sets: what is taken, what is refused and leaves nothing, and what jobs may then name."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from distillery.states import EndReason
from jobs.artifacts import ArtifactInfo, media_type_of
from tests.api.conftest import SPEC, MakeSettings, Service, serving
from tests.kd_engine.intake.archives import by_class, picture, tarred, zipped
from tests.stores import on_both_stores

NO_COPIES = {"count": 0, "listed": []}
MANIFEST: dict[str, Any] = {
    "version": 2, "format": "zip", "sha256": "0" * 64, "bytes": 3000, "classes": ["cat", "dog"],
    "splits": {"train": {"images": 100, "by_class": [50, 50]}, "test": {"images": 20, "by_class": [10, 10]}},
    "channels": 3,
    "sizes": {
        "height": {"smallest": 20, "median": 40.0, "largest": 60},
        "width": {"smallest": 20, "median": 50.0, "largest": 60},
    },
    "default_size": [32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
    "duplicates": {"pictures": 0, "across_splits": NO_COPIES, "under_two_classes": NO_COPIES},
    "broken": NO_COPIES, "left_out": {}, "left_out_files": {}, "notes": [], "task": "image_classification",
    "layout": "image_folder",
}  # fmt: skip


def of_arrays(height: float, width: float) -> dict[str, Any]:
    sizes = {
        name: {"smallest": 1, "median": side, "largest": 99} for name, side in (("height", height), ("width", width))
    }
    return MANIFEST | {"layout": "arrays", "sizes": sizes}


@pytest.fixture
def service(own_service: Service) -> Service:
    return own_service


@pytest.fixture
def archive(tmp_path: Path) -> bytes:
    return zipped(tmp_path / "a.zip", by_class(3)).read_bytes()


def _send(service: Service, content: bytes, **query: Any) -> dict[str, Any]:
    answer = service.client.post("/datasets", content=content, params=query)
    assert answer.status_code in (200, 201), answer.text
    assert answer.headers["location"] == f"/datasets/{answer.json()['id']}"
    return dict(answer.json())


def ready(
    service: Service,
    content: bytes,
    tmp_path: Path,
    manifest: dict[str, Any] = MANIFEST,
    prepared: str = "dataset.tar",
    **query: str,
) -> str:
    """A data set whose check a worker has done."""
    dataset = _send(service, content, **query)
    job_id = dataset["links"]["job"].rpartition("/")[2]
    token = service.start(job_id)
    infos = []
    for name, body in (("manifest.json", json.dumps(manifest).encode()), (prepared, b"prepared")):
        path = tmp_path / name
        path.write_bytes(body)
        key = f"{job_id}/{token}/{name}"
        size, sha256 = service.context.store.put(path, key)
        infos.append(ArtifactInfo(name, "result", media_type_of(name), size, sha256, key))
    with service.context.database.write() as repository:
        done_with = repository.finish(job_id, token, EndReason.COMPLETED, "", infos)
    service.context.remove(done_with)
    return str(dataset["id"])


@on_both_stores
def test_a_data_set_is_stored_and_its_check_queued(service: Service, archive: bytes) -> None:
    asked = {"names_encoding": "gbk", "label_column": "breed"}
    dataset = _send(service, archive, name="pets", test="0.3", broken="skip", **asked)
    assert (dataset["name"], dataset["state"], dataset["manifest"]) == ("pets", "checking", None)
    job = service.client.get(dataset["links"]["job"]).json()
    assert job["spec"] | {"upload_sha256": ""} == {
        "kind": "check", "name": "pets", "upload_sha256": "", "test": 0.3, "broken": "skip", "labels": {},
        "resources": {"device": "auto", "devices": 1}, "priority": 0, "webhooks": [], **asked,
    }  # fmt: skip
    [stored] = service.files()
    assert service.content(stored) == archive
    assert service.client.get(dataset["links"]["self"]).json() == dataset
    assert service.client.get("/datasets").json() == {"datasets": [dataset], "next_page_token": None}


@on_both_stores
def test_the_same_again_is_the_same_data_set(service: Service, archive: bytes) -> None:
    first = _send(service, archive, name="pets")
    again = service.client.post("/datasets", content=archive)
    assert (again.status_code, again.json()["id"]) == (200, first["id"])
    assert len(service.files()) == 1


@on_both_stores
@pytest.mark.parametrize(("content", "words"), [
    (b"", "the file is empty"),
    (picture(), "a single picture (PNG)"),
    (b"\x80\x04\x95" + b"x" * 50, "pickled Python"),
    (b"\x93NUMPY" + b"x" * 50, "a single numpy array"),
    ((20).to_bytes(8, "little") + b"{" + b" " * 30, "a safetensors file"),
])  # fmt: skip
def test_other_formats_are_refused_by_their_content(service: Service, content: bytes, words: str) -> None:
    answer = service.client.post("/datasets", content=content, headers={"Content-Type": "application/zip"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unknown_format")
    assert words in answer.json()["detail"]
    assert service.files() == []
    assert service.client.get("/jobs").json()["jobs"] == []


def test_a_form_is_told_how_to_send_a_file(service: Service, archive: bytes) -> None:
    answer = service.client.post("/datasets", files={"file": ("a.zip", archive)})
    assert answer.status_code == 415
    assert "--data-binary @FILE" in answer.json()["detail"]


@pytest.mark.parametrize(("query", "code"), [
    ({"test": "0"}, "bad_parameter"), ({"test": "nan"}, "bad_parameter"), ({"broken": "drop"}, "bad_parameter"),
    ({"nmae": "x"}, "unknown_parameter"), ({"name": "x" * 201}, "bad_parameter"),
])  # fmt: skip
def test_wrong_parameters_are_told_before_the_file_is_kept(
    service: Service, archive: bytes, query: dict[str, str], code: str
) -> None:
    answer = service.client.post("/datasets", content=archive, params=query)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert service.files() == []


@on_both_stores
def test_too_large_is_refused_with_and_without_a_length(make_settings: MakeSettings) -> None:
    with serving(make_settings(max_upload_bytes=1000)) as service:
        announced = service.client.post("/datasets", content=b"PK\x03\x04" + bytes(2000))
        unknown = service.client.post("/datasets", content=(b"PK\x03\x04" + bytes(100) for _ in range(20)))
        for answer in (announced, unknown):
            assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
            assert "1,000 bytes" in answer.json()["detail"]
        assert service.files() == []


def test_a_file_over_the_quota_is_refused(make_settings: MakeSettings, archive: bytes) -> None:
    with serving(make_settings(quota_bytes=500)) as service:
        answer = service.client.post("/datasets", content=archive)
        assert (answer.status_code, answer.json()["code"]) == (429, "over_quota")
        assert answer.json()["limit"] == 500
        assert service.files() == []


@on_both_stores
def test_an_upload_that_is_cut_off_leaves_nothing(service: Service) -> None:
    with socket.create_connection(("127.0.0.1", service.port)) as connection:
        head = "POST /datasets HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10000000\r\n\r\n"
        connection.sendall(head.encode() + b"PK\x03\x04" + bytes(3_000_000))
        deadline = time.monotonic() + 10
        seen = service.context.settings.artifacts_url is None  # nobody sees what a bucket has not got whole
        while seen and not service.files() and time.monotonic() < deadline:
            time.sleep(0.01)
        assert bool(service.files()) == seen, "it was on its way"
    deadline = time.monotonic() + 10
    while service.files() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert service.files() == []
    assert service.client.get("/datasets").json()["datasets"] == []


@on_both_stores
def test_a_job_names_a_data_set_that_is_ready(service: Service, archive: bytes, tmp_path: Path) -> None:
    dataset_id = ready(service, archive, tmp_path)
    assert service.client.get(f"/datasets/{dataset_id}").json()["manifest"] == MANIFEST
    answer = service.client.post("/jobs", json=SPEC | {"dataset": dataset_id})
    assert answer.status_code == 201, answer.text
    params = answer.json()["spec"]["dataset"]["params"]
    assert (params["id"], params["height"], params["width"]) == (dataset_id, 32, 32)
    assert params["classes"] == ["cat", "dog"]
    assert answer.json()["spec"]["student"]["params"] == {"num_classes": 2, "in_channels": 3}
    again = service.client.post("/jobs", json=answer.json()["spec"])
    assert again.json()["spec"] == answer.json()["spec"]
    listed = service.client.get("/jobs", params={"dataset": dataset_id}).json()["jobs"]
    assert {job["id"] for job in listed} == {answer.json()["id"], again.json()["id"]}


def test_only_the_size_is_the_users_to_say(service: Service, archive: bytes, tmp_path: Path) -> None:
    dataset_id = ready(service, archive, tmp_path)
    own = {"height": 24, "width": 48, "classes": ["a", "b", "c"], "sha256": "f" * 64, "train": 7}
    answer = service.client.post("/jobs", json=SPEC | {"dataset": {"name": dataset_id, "params": own}})
    params = answer.json()["spec"]["dataset"]["params"]
    assert (params["height"], params["width"], params["classes"], params["train"]) == (24, 48, ["cat", "dog"], 100)
    assert params["sha256"] != "f" * 64


def test_arrays_are_not_resized(service: Service, archive: bytes, tmp_path: Path) -> None:
    arrays = of_arrays(28.0, 28.0)
    dataset_id = ready(service, archive, tmp_path, arrays, "dataset.npz")

    def post(**params: int) -> dict[str, Any]:
        body = SPEC | {"dataset": {"name": dataset_id, "params": params}}
        return dict(service.client.post("/jobs?validate_only=true", json=body).json())

    (error,) = post(height=32)["errors"]
    assert (error["pointer"], error["code"]) == ("/dataset/params/height", "does_not_fit")
    assert "28 x 28 pixels" in error["message"]
    assert post(height=28, width=28)["spec"] == post()["spec"]


def test_a_data_set_has_the_task_that_its_sender_named_and_a_teacher_of_another_is_refused(
    service: Service, archive: bytes, tmp_path: Path
) -> None:
    one = ready(service, archive, tmp_path, of_arrays(28.0, 28.0), "dataset.npz")
    several = of_arrays(28.0, 28.0) | {"task": "image_multi_label"}
    other = ready(service, archive, tmp_path, several, "dataset.npz", task="image_multi_label")
    assert one != other, "the same file, looked at in another way"

    body = SPEC | {"dataset": other, "teacher": "resnet8", "student": "resnet8"}
    made = service.client.post("/jobs", json=body).json()
    assert made["spec"]["dataset"]["params"]["task"] == "image_multi_label"
    service.end(made["id"], EndReason.COMPLETED)
    taught = {"dataset": one, "teacher": {"job": made["id"]}, "student": "resnet8"}
    measured = {"kind": "evaluate", "dataset": one, "model": {"job": made["id"]}}
    for body, pointer in ((SPEC | taught, "/teacher/job"), (measured, "/model/job")):
        answer = service.client.post("/jobs", json=body)
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["pointer"], error["code"]) == (422, pointer, "does_not_fit")
        assert "is of the task image_multi_label" in error["message"]

    answer = service.client.post("/datasets", content=archive, params={"task": "image_multilabel"})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_parameter")
    assert "did you mean 'image_multi_label'?" in answer.json()["detail"]


def test_a_job_on_a_data_set_that_is_not_there_or_not_ready_is_refused(
    service: Service, archive: bytes, tmp_path: Path
) -> None:
    checking = _send(service, archive)["id"]
    failed = _send(service, zipped(tmp_path / "b.zip", by_class(4)).read_bytes())
    job_id = failed["links"]["job"].rpartition("/")[2]
    token = service.start(job_id)
    with service.context.database.write() as repository:
        repository.finish(job_id, token, EndReason.DATA_ERROR, "2 of 8 pictures cannot be used", [])
    for dataset, code, words in (
        ("ds_nowhere", "dataset_not_found", "there is no data set"),
        (checking, "dataset_not_ready", "is queued; wait until"),
        (failed["id"], "dataset_not_ready", "2 of 8 pictures cannot be used"),
    ):
        answer = service.client.post("/jobs", json=SPEC | {"dataset": dataset})
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["pointer"], error["code"]) == (422, "/dataset", code)
        assert words in error["message"]
    assert service.client.get(f"/datasets/{failed['id']}").json()["state"] == "failed"


def test_arrays_are_of_one_size_and_a_spec_is_told_so(service: Service, archive: bytes, tmp_path: Path) -> None:
    dataset = ready(service, archive, tmp_path, of_arrays(28.0, 30.0), prepared="dataset.npz")
    for size in ({}, {"height": 28}, {"height": 28, "width": 30}):
        body = SPEC | {"dataset": {"name": dataset, "params": size}}
        assert service.client.post("/jobs?validate_only=true", json=body).status_code == 200
    body = SPEC | {"dataset": {"name": dataset, "params": {"height": 32, "width": 30}}}
    [error] = service.client.post("/jobs?validate_only=true", json=body).json()["errors"]
    assert (error["pointer"], error["code"]) == ("/dataset/params/height", "does_not_fit")
    assert "28 x 30 pixels" in error["message"]
    assert "leave height and width out" in error["message"]


def test_a_job_on_a_data_set_whose_check_failed_says_why_in_one_sentence(service: Service, archive: bytes) -> None:
    dataset = _send(service, archive)
    token = service.start(job_id := dataset["links"]["job"].rpartition("/")[2])
    with service.context.database.write() as repository:
        repository.finish(job_id, token, EndReason.DATA_ERROR, "the archive holds no pictures. Pack it again.", [])
    [error] = service.client.post("/jobs", json=SPEC | {"dataset": dataset["id"]}).json()["errors"]
    assert error["message"].endswith("ended as failed: the archive holds no pictures. Pack it again.")


def test_a_check_is_not_posted(service: Service) -> None:
    answer = service.client.post("/jobs", json={"kind": "check", "upload_sha256": "0" * 64})
    assert answer.status_code == 422
    assert "POST /datasets" in answer.json()["detail"]


@on_both_stores
def test_deleting(service: Service, archive: bytes, tmp_path: Path) -> None:
    dataset_id = ready(service, archive, tmp_path)
    job_id = service.client.post("/jobs", json=SPEC | {"dataset": dataset_id}).json()["id"]
    refused = service.client.delete(f"/datasets/{dataset_id}")
    assert (refused.status_code, refused.json()["code"]) == (409, "dataset_in_use")
    assert job_id in refused.json()["detail"]
    service.client.post(f"/jobs/{job_id}/cancel")
    assert service.client.delete(f"/datasets/{dataset_id}").status_code == 204
    assert service.client.get(f"/datasets/{dataset_id}").json()["code"] == "dataset_not_found"
    assert service.files() == []


def test_pages(service: Service, tmp_path: Path) -> None:
    sent = [_send(service, tarred(tmp_path / "a", by_class(count)).read_bytes())["id"] for count in (2, 3, 4)]
    first = service.client.get("/datasets", params={"page_size": 2}).json()
    token = first["next_page_token"]
    rest = service.client.get("/datasets", params={"page_size": 2, "page_token": token}).json()
    assert [row["id"] for row in (*first["datasets"], *rest["datasets"])] == sent[::-1]
    assert rest["next_page_token"] is None
    assert service.client.get("/jobs", params={"page_token": token}).status_code == 400
