"""Sending networks, keeping those of jobs, and naming either in jobs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillery.states import EndReason
from tests.api.conftest import SPEC, Service
from tests.api.routes.test_datasets import ready
from tests.kd_engine.intake.archives import by_class, zipped
from tests.kd_engine.intake.networks import linear_onnx
from tests.stores import on_both_stores


@pytest.fixture
def service(own_service: Service) -> Service:
    return own_service


@pytest.fixture(scope="module")
def onnx() -> bytes:
    return linear_onnx(["N", 64])


def _send(service: Service, content: bytes, **query: Any) -> dict[str, Any]:
    answer = service.client.post("/models", content=content, params={"dataset": "digits"} | query)
    assert answer.status_code in (200, 201), answer.text
    assert answer.headers["location"] == f"/models/{answer.json()['id']}"
    return dict(answer.json())


def _verified(service: Service, content: bytes, **query: Any) -> dict[str, Any]:
    """A model that a worker has looked at."""
    sent = _send(service, content, **query)
    token = service.start(sent["job"])
    with service.context.database.write() as repository:
        service.context.remove(repository.finish(sent["job"], token, EndReason.COMPLETED, "", []))
    return sent


def _post(service: Service, **changes: Any) -> Any:
    return service.client.post("/jobs", json=SPEC | changes)


@on_both_stores
def test_a_network_is_stored_and_a_job_looks_at_it(service: Service, onnx: bytes) -> None:
    sent = _send(service, onnx, name="mine", classes="9,8,7,6,5,4,3,2,1,0", mean="0.5", std="0.25")
    assert (sent["name"], sent["state"], sent["dataset"], sent["role"]) == ("mine", "checking", "digits", "model")
    spec = service.client.get(sent["links"]["job"]).json()["spec"]
    assert (spec["kind"], spec["format"], spec["classes"][0]) == ("register", "onnx", "9")
    assert (spec["mean"], spec["std"]) == ([0.5], [0.25])
    [stored] = service.files()
    assert service.content(stored) == onnx
    assert service.client.get(sent["links"]["self"]).json() == sent
    assert service.client.get("/models").json() == {"models": [sent], "next_page_token": None}


def test_the_same_again_is_the_same_model(service: Service, onnx: bytes) -> None:
    first = _send(service, onnx)
    assert _send(service, onnx, name="other")["id"] == first["id"]
    assert _send(service, onnx, mean="0.5", std="1")["id"] != first["id"]
    assert len(service.files()) == 2


@pytest.mark.parametrize(("query", "status", "words"), [
    ({"dataset": "digts"}, 422, "did you mean 'digits'?"),
    ({"dataset": "ds_1"}, 422, "there is no data set 'ds_1'"),
    ({"dataset": "digits", "mean": "0.5"}, 422, "go together"),
    ({"dataset": "digits", "mean": "half", "std": "1"}, 400, "mean"),
    ({"dataset": "digits", "classes": "a\nb"}, 400, "expected values with commas between"),
    ({"dataset": "digits", "classes": "a,b"}, 422, "each once: 0, 1, 2"),
    ({"dataset": "digits", "model": "mlp"}, 422, "of safetensors weights"),
    ({"dataset": "digits", "params": "{}}"}, 400, "not valid JSON"),
    ({}, 400, "'dataset' is required."),
])  # fmt: skip
def test_wrong_words_are_told_and_nothing_is_kept(
    service: Service, onnx: bytes, query: dict[str, str], status: int, words: str
) -> None:
    answer = service.client.post("/models", content=onnx, params=query)
    assert answer.status_code == status, answer.text
    assert words in answer.text
    assert service.files() == []
    assert service.client.get("/jobs").json()["jobs"] == []


@on_both_stores
def test_other_formats_are_refused_by_their_content(service: Service) -> None:
    for content, words in ((b"\x80\x04\x95" + b"x" * 50, "pickled Python"), (b"PAR1" + b"x" * 99, "a parquet table")):
        answer = service.client.post("/models", content=content, params={"dataset": "digits"})
        assert (answer.status_code, answer.json()["code"]) == (415, "unknown_format")
        assert words in answer.json()["detail"]
    assert service.files() == []


def test_a_job_learns_from_a_model(service: Service, onnx: bytes) -> None:
    sent = _verified(service, onnx)
    for teacher in (sent["id"], {"model": sent["id"]}):
        answer = _post(service, teacher=teacher)
        assert answer.status_code == 201, answer.text
        assert answer.json()["spec"]["teacher"]["job"] == sent["job"]
        assert answer.json()["spec"]["teacher"]["role"] == "model"
    other = _verified(service, linear_onnx(["N", 64], softmax=True))
    answer = _post(service, teacher={"ensemble": [sent["id"], other["id"]]})
    assert [member["job"] for member in answer.json()["spec"]["teacher"]["ensemble"]] == [sent["job"], other["job"]]
    evaluation = {"kind": "evaluate", "dataset": "digits", "model": sent["id"], "teacher": other["id"]}
    answer = service.client.post("/jobs", json=evaluation)
    assert answer.status_code == 201, answer.text
    assert answer.json()["spec"]["model"] == {"job": sent["job"], "role": "model"}


def test_any_model_is_measured_on_any_data_set(service: Service, onnx: bytes) -> None:
    sent = _verified(service, onnx)
    answer = service.client.post("/evaluations", json={"dataset": "digits", "model": sent["id"]})
    assert answer.status_code == 201, answer.text
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    assert (answer.json()["spec"]["kind"], answer.json()["spec"]["model"]["job"]) == ("evaluate", sent["job"])
    resolved = service.client.post("/evaluations?validate_only=true", json={"dataset": "digits", "model": sent["id"]})
    assert (resolved.status_code, resolved.json()["spec"]) == (200, answer.json()["spec"])
    wrong = service.client.post("/evaluations", json={"dataset": "digits", "model": sent["id"], "student": "mlp"})
    assert (wrong.status_code, wrong.json()["errors"][0]["pointer"]) == (422, "/student")


def test_a_model_that_is_not_there_or_not_ready_is_refused(service: Service, onnx: bytes) -> None:
    checking = _send(service, onnx)["id"]
    for teacher, pointer, code in (
        ("mdl_1", "/teacher", "model_not_found"),
        (checking, "/teacher", "model_not_ready"),
        ({"ensemble": [{"job": "job_1"}, checking]}, "/teacher/ensemble/1", "model_not_ready"),
    ):
        answer = _post(service, teacher=teacher)
        [error] = answer.json()["errors"]
        assert (answer.status_code, error["pointer"], error["code"]) == (422, pointer, code)


@pytest.mark.parametrize(
    "teacher", [{"ensemble": 5}, {"ensemble": "mdl_1"}, {"ensemble": {"a": 1}}, 5, [], {"model": 5}]
)
def test_nonsense_in_place_of_a_model_is_told(service: Service, teacher: Any) -> None:
    assert _post(service, teacher=teacher).status_code == 422


def test_feature_losses_cannot_learn_from_an_onnx_model(service: Service, onnx: bytes) -> None:
    sent = _verified(service, onnx)
    spec = {"dataset": "digits", "teacher": sent["id"], "student": "resnet8", "losses": ["kl", "at"]}
    answer = service.client.post("/jobs", json=spec)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/losses/1"
    assert "shows no feature maps" in answer.json()["detail"]


def test_logits_and_augmentation_do_not_go_together(service: Service, tmp_path: Path) -> None:
    np.savez(tmp_path / "logits.npz", train=np.zeros((2, 10)), test=np.zeros((2, 10)))
    sent = _verified(service, (tmp_path / "logits.npz").read_bytes())
    assert _post(service, teacher=sent["id"]).status_code == 201
    answer = _post(service, teacher=sent["id"], training={"augmentation": ["flip"]})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/training/augmentation"


def test_a_registration_and_its_role_belong_together(service: Service, onnx: bytes) -> None:
    sent = _verified(service, onnx)
    answer = _post(service, teacher={"job": sent["job"]})
    assert answer.status_code == 422
    assert "'model' is the role of a network that was sent" in answer.json()["detail"]


def _trained(service: Service, tmp_path: Path) -> str:
    job_id = service.create()
    token = service.start(job_id)
    service.publish(job_id, token, "student.safetensors", b"weights", tmp_path)
    with service.context.database.write() as repository:
        repository.finish(job_id, token, EndReason.COMPLETED, "", [])
    return job_id


def test_a_student_is_kept_as_a_model(service: Service, tmp_path: Path) -> None:
    job_id = _trained(service, tmp_path)
    answer = service.client.post("/models/promote", json={"job": job_id, "name": "the good one"})
    assert answer.status_code == 201, answer.text
    model = answer.json()
    assert (model["name"], model["state"], model["role"], model["job"]) == ("the good one", "ready", "student", job_id)
    assert _post(service, teacher=model["id"]).json()["spec"]["teacher"]["job"] == job_id
    refused = service.client.delete(f"/jobs/{job_id}")
    assert refused.status_code == 409
    assert model["id"] in refused.json()["detail"]
    assert service.client.delete(f"/models/{model['id']}").status_code == 204
    assert service.client.delete(f"/jobs/{job_id}").status_code == 204


def test_only_a_network_that_is_there_can_be_kept(service: Service, tmp_path: Path) -> None:
    queued, trained = service.create(), _trained(service, tmp_path)
    for body, status in (
        ({"job": queued}, 409), ({"job": "job_0"}, 404), ({"job": trained, "role": "baseline"}, 404),
        ({"job": trained, "rolle": "student"}, 422), ({"role": "student"}, 422), ({"job": trained, "name": 3}, 400),
    ):  # fmt: skip
        assert service.client.post("/models/promote", json=body).status_code == status, body
    assert service.client.get("/models").json()["models"] == []


@on_both_stores
def test_deleting_takes_the_file_along(service: Service, onnx: bytes) -> None:
    sent = _send(service, onnx)
    assert service.client.delete(f"/models/{sent['id']}").status_code == 409
    service.client.post(f"/jobs/{sent['job']}/cancel")
    assert service.client.delete(f"/models/{sent['id']}").status_code == 204
    assert service.client.get(f"/models/{sent['id']}").json()["code"] == "model_not_found"
    assert service.client.get(f"/jobs/{sent['job']}").status_code == 404


@on_both_stores
def test_a_network_for_a_data_set_that_was_sent(service: Service, tmp_path: Path) -> None:
    dataset_id = ready(service, zipped(tmp_path / "a.zip", by_class(3)).read_bytes(), tmp_path)
    sent = _send(service, linear_onnx(["N", 3, 16, 24]), dataset=dataset_id, height="16", width="24")
    spec = service.client.get(sent["links"]["job"]).json()["spec"]
    assert spec["dataset"]["params"]["height"] == 16
    assert sent["dataset"] == dataset_id
    assert service.client.delete(f"/datasets/{dataset_id}").json()["code"] == "dataset_in_use"
