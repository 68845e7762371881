"""A job on several devices, through a worker: its trainer starts a process for each, in its own process group."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from distillery.states import JobState
from kd_engine.platform.files import sha256_of
from tests.kd_engine.small_runs import DIGITS, run_spec
from tests.worker.conftest import Running, look, run_next, trainers
from worker.context import Services

pytestmark = pytest.mark.slow
Submit = Callable[[dict[str, Any]], str]
Start = Callable[[str], Running]
BODY: dict[str, Any] = DIGITS | {
    "student": "resnet8",
    "training": {"epochs": 4, "batch_size": 128},
    "baseline": False,
    "resources": {"device": "cpu", "devices": 2},
}
LONG_BODY: dict[str, Any] = BODY | {"training": {"epochs": 1000, "batch_size": 128}}


def _ranks(services: Services) -> list[psutil.Process]:
    """The processes of the only trainer, by rank."""
    [trainer] = trainers(services.settings)
    return list(trainer.children())


def _all_gone(ranks: list[psutil.Process]) -> None:
    """Killed is not yet reaped: whoever does that may be busy."""
    assert psutil.wait_procs(ranks, timeout=30)[1] == []


@pytest.mark.timeout(300)
def test_a_killed_process_costs_an_attempt_and_the_next_gives_the_same_student(
    services: Services, submit: Submit, start: Start, tmp_path: Path
) -> None:
    running = start(submit(BODY))
    running.wait_for("checkpoint_saved")
    ranks = _ranks(services)
    ranks[1].kill()
    job = running.join()
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 1)
    with services.database.read() as repository:
        events = repository.events(job.id, 0, 1000)
    [requeued] = [event.data for event in events if event.type == "requeued"]
    assert requeued["why"] == "attempt 1: process 2 of 2 was killed by SIGKILL; the others were ended."
    _all_gone(ranks)

    job = run_next(services)

    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 2), job.end_detail
    with services.database.read() as repository:
        student = repository.artifact(job.id, "student.safetensors")
    assert run_spec(BODY, tmp_path / "undisturbed").reason == "completed"
    assert student.sha256 == sha256_of(tmp_path / "undisturbed" / "student.safetensors")


def test_cancelling_ends_all_processes(services: Services, submit: Submit, start: Start) -> None:
    running = start(submit(LONG_BODY))
    running.wait_for("epoch_end")
    ranks = _ranks(services)
    assert len(ranks) == 2
    with services.database.write() as repository:
        repository.request_cancel(running.job_id)
    assert running.join().state == JobState.CANCELLED
    _all_gone(ranks)


def test_a_trainer_that_is_killed_takes_its_processes_along(services: Services, submit: Submit, start: Start) -> None:
    running = start(submit(LONG_BODY))
    running.wait_for("epoch_end")
    [trainer] = trainers(services.settings)
    ranks = trainer.children()
    trainer.kill()
    assert running.join().state == JobState.QUEUED
    _, alive = psutil.wait_procs(ranks, timeout=10)
    assert not alive
    assert look(services, running.job_id).lost_attempts == 1
