"""Sweeps over HTTP: jobs of kind `sweep`, whose trials are shown, checked and counted before anything is queued."""

from __future__ import annotations

from typing import Any

import pytest

from distillery.states import EndReason, JobState
from kd_engine.schema.events import EpochEnd, PhaseEnded, Progress
from tests.api.conftest import Service

SWEEP: dict[str, Any] = {
    "name": "how soft?",
    "base": {
        "dataset": "digits", "student": "softmax_regression", "resources": {"queue_timeout_seconds": 60},
        "teacher": {"model": "mlp", "training": {"epochs": 5}}, "training": {"epochs": 3}, "repeats": 2,
    },
    "space": {"temperature": [1, 4]},
    "labels": {"what": "sweep"},
}  # fmt: skip


def post(service: Service, **changes: Any) -> str:
    answer = service.client.post("/sweeps", json=SWEEP | changes)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def refusal(service: Service, body: dict[str, Any]) -> tuple[str, str, str]:
    problem = service.client.post("/sweeps?validate_only=true", json=body)
    assert problem.status_code == 422, problem.text
    error = problem.json()["errors"][0]
    return error["pointer"], error["code"], error["message"]


def test_the_trials_are_shown_before_anything_is_stored(service: Service) -> None:
    dry = service.client.post("/sweeps?validate_only=true", json=SWEEP | {"name": "dry"})
    assert dry.status_code == 200, dry.text
    assert dry.json()["trials"] == [
        {"number": 0, "values": {"temperature": 1}}, {"number": 1, "values": {"temperature": 4}},
    ]  # fmt: skip
    assert dry.json()["spec"]["kind"] == "sweep"
    assert "trials" not in service.client.post("/jobs?validate_only=true", json=SWEEP["base"]).json()
    assert service.client.get("/sweeps?name=dry").json()["jobs"] == []


def test_a_sweep_is_a_job_with_a_path_of_its_own(service: Service) -> None:
    key = {"Idempotency-Key": "monday"}
    first, again = (service.client.post("/sweeps", json=SWEEP, headers=key).json() for _ in range(2))
    same = service.client.post("/jobs", json={"kind": "sweep"} | SWEEP, headers=key).json()
    assert first == again == same
    assert (first["spec"]["kind"], first["state"], first["labels"]) == ("sweep", "queued", {"what": "sweep"})
    sweep, job = first["id"], service.create()
    assert [row["id"] for row in service.client.get("/sweeps?state=queued").json()["jobs"]][:1] == [sweep]
    assert [row["id"] for row in service.client.get("/jobs").json()["jobs"]][:2] == [job, sweep]
    read = service.client.get(f"/sweeps/{sweep}")
    assert read.json() == service.client.get(f"/jobs/{sweep}").json()
    assert service.client.get(f"/sweeps/{sweep}", headers={"If-None-Match": read.headers["ETag"]}).status_code == 304
    assert service.client.delete(f"/sweeps/{sweep}").json()["code"] == "wrong_state"
    assert service.client.get(f"/sweeps/{sweep}/report").json()["code"] == "not_finished"
    for path in (f"/sweeps/{job}", f"/sweeps/{job}/report"):
        assert "kind 'distill'" in service.client.get(path).json()["detail"]
    assert service.client.delete(f"/sweeps/{job}").status_code == 404
    assert service.client.post(f"/jobs/{sweep}/cancel").status_code == 200
    assert service.client.delete(f"/sweeps/{sweep}").status_code == 204
    assert service.client.get(f"/sweeps/{sweep}").status_code == 404


def test_it_counts_as_one_job_of_the_epochs_that_it_trains(service: Service) -> None:
    before = service.client.get("/usage").json()
    post(service)
    usage = service.client.get("/usage").json()
    assert usage["queued"] == before["queued"] + 1
    # one teacher for both seeds, the student alone and two trials for each
    assert usage["epochs"] == before["epochs"] + 5 + 2 * (3 + 2 * 3)


def test_epochs_and_ends_are_told_for_each_trial_and_once(service: Service) -> None:
    sweep = post(service)
    token = service.start(sweep)
    name: dict[str, Any] = {"phase": "student", "repeat": 0}
    ended = [PhaseEnded(**name, trial=trial, source="trained", metrics={}) for trial in (0, 1)]
    epochs = [EpochEnd(**name, trial=trial, epoch=1, epochs=3, metrics={"val_loss": trial + 1}) for trial in (0, 1)]
    progress = Progress(**name, trial=1, epoch=1, step=0, steps=0, fraction=0.5, seconds_remaining=3.0, trials=2,
                        trials_done=1)  # fmt: skip
    for _ in range(2):  # as after a kill
        with service.context.database.write() as repository:
            repository.record(sweep, token, [*epochs, *ended, progress])
    events = service.client.get(f"/jobs/{sweep}/events", params={"format": "json"}).json()["events"]
    told = [
        (event["type"], event["data"]["trial"]) for event in events if event["type"] in ("epoch_end", "phase_ended")
    ]
    assert told == [("epoch_end", 0), ("epoch_end", 1), ("phase_ended", 0), ("phase_ended", 1)]
    view = service.client.get(f"/sweeps/{sweep}").json()
    assert (view["progress"]["trials"], view["progress"]["trials_done"], view["progress"]["trial"]) == (2, 1, 1)
    series = service.client.get(f"/jobs/{sweep}/metrics").json()["metrics"]
    assert [(row["trial"], row["metrics"]["val_loss"]) for row in series] == [(0, 1.0), (1, 2.0)]
    table = service.client.get(f"/jobs/{sweep}/metrics?format=csv").text.splitlines()
    assert table == ["phase,trial,repeat,epoch,val_loss", "student,0,0,1,1.0", "student,1,0,1,2.0"]
    service.end(sweep, EndReason.WORKER_LOST, token)
    again = service.client.post(f"/jobs/{sweep}/retry").json()["id"]
    assert service.client.get(f"/jobs/{again}/metrics").json()["metrics"] == series


def test_a_teacher_among_the_values_must_be_there_and_fit(service: Service) -> None:
    trained, waits = service.job_in(JobState.SUCCEEDED), service.create()
    given = {"job": trained, "role": "teacher"}
    assert service.client.get(f"/sweeps/{post(service, space={'teacher': ['mlp', given]})}").status_code == 200
    pointer, code, message = refusal(service, SWEEP | {"space": {"teacher": ["mlp", given | {"job": waits}]}})
    assert (pointer, code) == ("/space", "job_not_succeeded")
    assert f"In the trial with teacher = {{'job': '{waits}'" in message
    in_base = SWEEP["base"] | {"teacher": given | {"job": waits}}
    assert refusal(service, SWEEP | {"base": in_base})[:2] == ("/base/teacher/job", "job_not_succeeded")


def test_what_was_sent_is_looked_up_in_base_and_values(service: Service) -> None:
    lost = "mdl_01JZ0000000000000000000000"
    other = SWEEP["base"] | {"dataset": "ds_01JZ0000000000000000000000"}
    assert refusal(service, SWEEP | {"base": other})[:2] == ("/base/dataset", "dataset_not_found")
    for body, pointer in (
        ({"space": {"teacher": ["mlp", lost]}}, "/space/teacher/1"),
        ({"space": [{"temperature": [1]}, {"teacher": [{"model": lost}]}]}, "/space/1/teacher/0"),
        ({"trials": [{"temperature": 2}, {"teacher": lost}]}, "/trials/1/teacher"),
    ):
        assert refusal(service, SWEEP | body)[:2] == (pointer, "model_not_found")


def test_what_a_sweep_has_chosen_teaches_and_is_measured(service: Service) -> None:
    sweep = post(service)
    service.end(sweep, EndReason.COMPLETED)
    chosen = {"job": sweep, "role": "student"}
    evaluation = {"kind": "evaluate", "dataset": "digits", "model": chosen}
    for body in (SWEEP["base"] | {"teacher": chosen}, evaluation):
        assert service.client.post("/jobs?validate_only=true", json=body).status_code == 200
    early = evaluation | {"model": chosen | {"epoch": 1}}
    error = service.client.post("/jobs", json=early).json()["errors"][0]
    assert (error["pointer"], error["code"]) == ("/model/job", "no_snapshot")
    assert service.client.post("/jobs", json=SWEEP["base"] | {"teacher": chosen, "dataset": "mnist"}).status_code == 422


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ({"kind": "distill"}, "/kind", "use POST /jobs"),
        ({"space": {}}, "/space", "at least one"),
        ({"space": {"temprature": [1]}}, "/space/temprature", "temprature"),
        ({"space": {"dataset": ["digits", "mnist"]}}, "/space/dataset", "a sweep for each data set"),
        ({"space": {"temperature": [1, -1]}}, "/space/temperature", "temperature = -1"),
        ({"space": {"seed_": 3}}, "/space/seed_", ""),
        ({"base": 3}, "/base", "dictionary"),
        ({"space": {"training.optimizer.lr": {"low": 1, "high": 1e6, "step": 1}}}, "/space", "at most 500"),
    ],
)
def test_what_does_not_fit_is_refused_with_its_place(
    service: Service, body: dict[str, Any], pointer: str, says: str
) -> None:
    where, _, message = refusal(service, SWEEP | body)
    assert where == pointer
    assert says in message


def test_a_list_in_a_job_leads_to_sweeps(service: Service) -> None:
    problem = service.client.post("/jobs", json=SWEEP["base"] | {"temperature": [1, 2]}).json()
    assert "POST /sweeps" in problem["errors"][0]["message"]
