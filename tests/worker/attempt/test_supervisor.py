"""What the user of a running job wishes, how long it may run, and what it writes, with a real trainer process."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, event

from distillery.states import EndReason, JobState
from tests.kd_engine.small_runs import DIGITS
from tests.worker.conftest import LONGER, SLOW, Running, look, run_next, trainers
from worker.context import Services

Submit = Callable[[dict[str, Any]], str]
Start = Callable[[str], Running]


def _checkpoints(services: Services, job_id: str) -> list[str]:
    with services.database.read() as repository:
        return [row.name for row in repository.artifacts(job_id, kind="checkpoint")]


def _wish(services: Services, job_id: str, what: str) -> None:
    with services.database.write() as repository:
        getattr(repository, what)(job_id)


def _resumed(services: Services, job_id: str) -> list[bool]:
    with services.database.read() as repository:
        events = repository.events(job_id, 0, 1000)
        return [entry.data["resumed"] for entry in events if entry.type == "run_started"]


@pytest.mark.slow
def test_a_job_that_is_paused_and_resumed_gives_the_same_student(
    services: Services, submit: Submit, start: Start, undisturbed: str
) -> None:
    running = start(submit(LONGER))
    running.wait_for("epoch_end")
    _wish(services, running.job_id, "request_pause")
    job = running.join()
    assert (job.state, job.pause_requested, job.lost_attempts) == (JobState.PAUSED, False, 0)
    assert not trainers(services.settings)
    assert _checkpoints(services, job.id)
    _wish(services, job.id, "resume")
    job = run_next(services)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2)
    assert _resumed(services, job.id) == [False, True]
    with services.database.read() as repository:
        student = repository.artifact(job.id, "student.safetensors")
    assert student.sha256 == undisturbed


def test_a_trainer_that_does_not_hear_of_a_pause_is_killed_and_not_counted_as_lost(
    services: Services, submit: Submit, start: Start
) -> None:
    running = start(submit(SLOW))
    running.wait_for("epoch_end")
    trainers(services.settings)[0].send_signal(signal.SIGSTOP)
    _wish(services, running.job_id, "request_pause")
    job = running.join()
    assert (job.state, job.lost_attempts) == (JobState.PAUSED, 0)
    assert not trainers(services.settings)


def test_a_cancel_beats_a_pause(services: Services, submit: Submit, start: Start) -> None:
    running = start(submit(SLOW))
    running.wait_for("epoch_end")
    trainers(services.settings)[0].send_signal(signal.SIGSTOP)  # so that both wishes come before its end
    _wish(services, running.job_id, "request_pause")
    _wish(services, running.job_id, "request_cancel")
    job = running.join()
    assert (job.state, job.end_reason) == (JobState.CANCELLED, EndReason.CANCELLED)


def test_a_pause_that_is_taken_back_too_late_queues_the_job_again(
    services: Services, submit: Submit, start: Start
) -> None:
    running = start(submit(SLOW))
    running.wait_for("epoch_end")
    trainer = trainers(services.settings)[0]
    trainer.send_signal(signal.SIGSTOP)
    _wish(services, running.job_id, "request_pause")
    running.until(lambda: signal.SIGTERM in _pending(trainer.pid))
    _wish(services, running.job_id, "resume")
    trainer.send_signal(signal.SIGCONT)
    job = running.join()
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 0)


def _pending(pid: int) -> set[int]:
    """The signals that wait for a process that is stopped."""
    status = Path(f"/proc/{pid}/status").read_text().splitlines()
    masks = [int(line.split()[1], 16) for line in status if line.startswith(("SigPnd", "ShdPnd"))]
    return {number for number in range(1, 65) for mask in masks if mask >> (number - 1) & 1}


def test_a_job_that_runs_too_long_fails_and_its_retry_goes_on(services: Services, submit: Submit, start: Start) -> None:
    running = start(submit(SLOW | {"resources": {"timeout_seconds": 8}}))
    job = running.join()
    assert (job.state, job.end_reason) == (JobState.FAILED, EndReason.TIMEOUT)
    assert "resources.timeout_seconds allows 8" in (job.end_detail or "")
    assert job.ran_ms >= 8000
    assert _checkpoints(services, job.id)
    with services.database.write() as repository:
        again, _ = repository.retry(job.id)
    second = start(again.id)
    second.wait_for("run_started")
    services.leaving.set()
    second.join()
    assert _resumed(services, again.id) == [True]


def test_earlier_attempts_count_for_the_time(services: Services, submit: Submit) -> None:
    job_id = submit(DIGITS | {"resources": {"timeout_seconds": 1e-3}})
    with services.database.write() as repository:
        job = repository.claim(job_id, "another", 60)
        assert job is not None
    while (now := look(services, job_id)).state is JobState.RUNNING and now.ran_ms == 0:
        with services.database.write() as repository:
            repository.hand_back(job_id, job.token, "to count its time")
    ended = run_next(services)
    assert ended.end_reason is EndReason.TIMEOUT
    assert "2 attempts" in (ended.end_detail or "")
    with services.database.read() as repository:
        assert not [entry for entry in repository.events(job_id, 0, 100) if entry.type == "run_started"]


def test_the_trainers_log_can_be_read_while_it_runs(services: Services, submit: Submit, start: Start) -> None:
    running = start(submit(SLOW))

    def told() -> list[str]:
        with services.database.read() as repository:
            return [line.line for line in repository.log(running.job_id, 0, 1000)]

    running.until(lambda: any("epoch 2 of" in line for line in told()))
    services.leaving.set()
    running.join()
    assert any("stopped as asked" in line for line in told()), "the last lines are missing"
    with services.database.read() as repository:
        lines = repository.log(running.job_id, 0, 1000)
    assert [line.seq for line in lines] == list(range(1, len(lines) + 1))
    assert {line.attempt for line in lines} == {1}


def test_what_a_trainer_tells_is_gathered_and_nothing_of_it_is_lost(services: Services, submit: Submit) -> None:
    rarely = replace(services, settings=services.settings.model_copy(update={"record_seconds": 3600}))
    job_id = submit(DIGITS | {"training": {"epochs": 100, "batch_size": 256}, "baseline": False})
    written = []

    def hear(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("UPDATE jobs") and "metrics=" in statement:
            written.append(statement)

    event.listen(Engine, "before_cursor_execute", hear)
    try:
        assert run_next(rarely).state is JobState.SUCCEEDED
    finally:
        event.remove(Engine, "before_cursor_execute", hear)
    assert 1 <= len(written) <= 2, "the first of them, and at the end the rest"
    with services.database.read() as repository:
        epochs = [row.epoch for row in repository.metrics(job_id) if row.phase == "student"]
    assert epochs == list(range(1, 101))
