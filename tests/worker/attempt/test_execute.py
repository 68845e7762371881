"""One attempt, from the claim to the job's end, with a real trainer process and real signals."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from jobs.errors import LeaseLost
from kd_engine.platform.files import sha256_of
from tests.kd_engine.small_runs import DIGITS, run_spec
from tests.stores import content
from tests.worker.conftest import LONGER, SLOW, Running, claim, look, run_next, trainers
from worker.context import Services

Submit = Callable[[dict[str, Any]], str]
Start = Callable[[str], Running]


def _artifacts(services: Services, job_id: str, kind: str = "result") -> dict[str, Any]:
    with services.database.read() as repository:
        return {row.name: row for row in repository.artifacts(job_id, kind)}


def test_a_job_succeeds_and_its_files_are_the_engines(services: Services, submit: Submit, tmp_path: Path) -> None:
    job_id = submit(DIGITS)
    run_next(services)
    job = look(services, job_id)
    assert (job.state, job.end_reason, job.attempt) == (JobState.SUCCEEDED, EndReason.COMPLETED, 1)
    assert job.progress is not None
    assert job.progress["fraction"] == 1.0
    listed = _artifacts(services, job_id)
    assert {"student.safetensors", "report.json", "curves.png"} <= set(listed)
    for row in listed.values():
        assert hashlib.sha256(content(services.store, row.key)).hexdigest() == row.sha256
    assert run_spec(DIGITS, tmp_path / "engine").reason == "completed"
    assert listed["student.safetensors"].sha256 == sha256_of(tmp_path / "engine" / "student.safetensors")
    assert not services.settings.runs_dir.exists() or not list(services.settings.runs_dir.iterdir())
    assert not _artifacts(services, job_id, "checkpoint")


def test_a_failing_run_fails_the_job_with_its_reason(services: Services, submit: Submit) -> None:
    job_id = submit(DIGITS | {"dataset": "mnist"})
    run_next(services)
    job = look(services, job_id)
    assert (job.state, job.end_reason) == (JobState.FAILED, EndReason.DATA_ERROR)
    assert "looked for" in (job.end_detail or "")


def test_cancelling_ends_the_trainer(services: Services, submit: Submit, start: Start) -> None:
    running = start(submit(SLOW))
    running.wait_for("epoch_end")
    with services.database.write() as repository:
        repository.request_cancel(running.job_id)
    job = running.join()
    assert (job.state, job.end_reason) == (JobState.CANCELLED, EndReason.CANCELLED)
    assert not trainers(services.settings)
    assert not _artifacts(services, job.id, "checkpoint")


def test_a_trainer_that_does_not_hear_is_killed(services: Services, submit: Submit, start: Start) -> None:
    """A stopped process cannot act on SIGTERM; SIGKILL takes it after the grace."""
    running = start(submit(SLOW))
    running.wait_for("epoch_end")
    trainers(services.settings)[0].send_signal(signal.SIGSTOP)
    with services.database.write() as repository:
        repository.request_cancel(running.job_id)
    assert running.join().state == JobState.CANCELLED
    assert not trainers(services.settings)


@pytest.mark.slow
def test_a_killed_trainer_is_tried_again_and_gives_the_same_student(
    services: Services, submit: Submit, start: Start, undisturbed: str
) -> None:
    running = start(submit(LONGER))
    running.wait_for("checkpoint_saved")
    running.until(lambda: bool(_artifacts(services, running.job_id, "checkpoint")))
    trainers(services.settings)[0].kill()
    job = running.join()
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 1)
    run_next(services)
    job = look(services, job.id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
    with services.database.read() as repository:
        events = repository.events(job.id, 0, 1000)
    started = [event.data["resumed"] for event in events if event.type == "run_started"]
    assert started == [False, True]
    epochs = [(event.data["phase"], event.data["epoch"]) for event in events if event.type == "epoch_end"]
    assert len(epochs) == len(set(epochs)) == 2 + 12
    assert _artifacts(services, job.id)["student.safetensors"].sha256 == undisturbed


def test_a_trainer_that_always_dies_fails_the_job_at_the_cap(services: Services, submit: Submit, start: Start) -> None:
    job_id = submit(SLOW)
    for _ in range(services.settings.max_lost_attempts):
        running = start(job_id)
        running.until(lambda: bool(trainers(services.settings)))
        trainers(services.settings)[0].kill()
        running.join()
    job = look(services, job_id)
    assert (job.state, job.end_reason) == (JobState.FAILED, EndReason.WORKER_LOST)
    assert "was killed by SIGKILL, as happens when memory runs out" in (job.end_detail or "")
    assert claim(services) is None, "it is tried again"


def test_a_worker_that_leaves_hands_its_job_back(services: Services, submit: Submit, start: Start) -> None:
    running = start(submit(SLOW))
    running.wait_for("epoch_end")
    services.leaving.set()
    job = running.join()
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 0)
    assert _artifacts(services, job.id, "checkpoint"), "the next worker has nothing to go on from"
    assert not trainers(services.settings)


def test_an_attempt_that_lost_its_lease_writes_nothing(services: Services, submit: Submit, start: Start) -> None:
    running = start(submit(SLOW))
    running.wait_for("epoch_end")
    with services.database.write() as repository:  # another worker takes the job, as after an expired lease
        repository.hand_back(running.job_id, 1, "taken away")
        taken = repository.claim(running.job_id, "another", 60)
    assert taken is not None
    job = running.join()
    assert (job.state, job.token, job.worker) == (JobState.RUNNING, 2, "another")
    assert not trainers(services.settings)
    with services.database.write() as repository:
        repository.finish(job.id, 2, EndReason.CANCELLED)
        with pytest.raises(LeaseLost):
            repository.finish(job.id, 1, EndReason.COMPLETED)


def test_a_student_teaches_the_next_job(trained: str, services: Services, submit: Submit) -> None:
    second = submit(DIGITS | {"teacher": {"job": trained}, "student": "softmax_regression"})
    run_next(services)
    assert look(services, second).state == JobState.SUCCEEDED
    report = json.loads(content(services.store, _artifacts(services, second)["report.json"].key))
    assert report["rows"][0]["model"] == "mlp"
    assert report["rows"][0]["source"] == "given"


def test_a_teacher_job_that_was_deleted_is_a_data_error(services: Services, submit: Submit) -> None:
    first = submit(DIGITS)
    second = submit(DIGITS | {"teacher": {"job": first}})
    with services.database.write() as repository:
        repository.request_cancel(first)
        repository.delete(first)
    run_next(services)
    job = look(services, second)
    assert (job.state, job.end_reason) == (JobState.FAILED, EndReason.DATA_ERROR)
    assert "the teacher cannot be had" in (job.end_detail or "")


def test_trainers_get_no_secrets(
    services: Services, submit: Submit, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KD_DATABASE_URL", "postgresql://user:secret@host/db")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    running = start(submit(SLOW))
    running.until(lambda: bool(trainers(services.settings)))
    environment = trainers(services.settings)[0].environ()
    services.leaving.set()
    running.join()
    assert environment["OMP_NUM_THREADS"] == "1"
    assert not any("secret" in value for value in environment.values())
