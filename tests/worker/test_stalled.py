"""A trainer that hangs, with a real one that is stopped: it is seen, ended, and the queue moves on."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from tests.kd_engine.intake.archives import by_class, zipped
from tests.worker.conftest import QUICK, SLOW, Running, look, run_next, trainers
from tests.worker.test_datasets import _send as send_dataset
from worker.context import Services

Submit = Callable[[dict[str, Any]], str]


@pytest.fixture
def impatient(services: Services) -> Services:
    """Ends a trainer that is quiet for 6 s, and says after 2 that it stalls."""
    return _with(services, stall_seconds=6, cancel_grace_seconds=0.1)


def _with(services: Services, **settings: Any) -> Services:
    return replace(services, settings=services.settings.model_copy(update=settings))


def _events(services: Services, job_id: str) -> list[tuple[str, dict[str, Any]]]:
    with services.database.read() as repository:
        return [(event.type, event.data) for event in repository.events(job_id, 0, 1000)]


def _kinds(services: Services, job_id: str) -> list[str]:
    return [kind for kind, _ in _events(services, job_id)]


def _stop(services: Services) -> Any:
    """As a loop that never gives Python a turn: no signal but SIGKILL gets through."""
    [trainer] = trainers(services.settings)
    trainer.send_signal(signal.SIGSTOP)
    return trainer


def test_a_trainer_that_hangs_is_seen_and_ended_and_the_next_job_runs(impatient: Services, submit: Submit) -> None:
    running = Running(submit(SLOW), impatient)
    job_id = running.job_id
    running.wait_for("checkpoint_saved")
    trainer = _stop(impatient)

    running.wait_for("stalled")
    stalled = look(impatient, job_id)
    assert stalled.state is JobState.RUNNING
    assert stalled.stalled is not None
    assert stalled.claimed_at is not None
    assert stalled.stalled >= stalled.claimed_at
    with impatient.database.read() as repository:
        assert repository.stalled() == repository.counts().stalled == 1
    trainer.send_signal(signal.SIGCONT)
    running.wait_for("recovered")
    assert look(impatient, job_id).stalled is None

    _stop(impatient)
    job = running.join()
    # it had got on since it began: another attempt may get further
    assert (job.state, job.lost_attempts, job.stalled) == (JobState.QUEUED, 1, None)
    [why] = [data["why"] for kind, data in _events(impatient, job_id) if kind == "requeued"]
    assert "no progress for 6 s" in why
    assert not trainers(impatient.settings)

    again = Running(job_id, _with(impatient, checkpoint_seconds=1000.0))
    again.until(lambda: _kinds(impatient, job_id).count("run_started") == 2)
    _stop(impatient)
    job = again.join()
    # this one had got no further: it would hang there again
    assert (job.state, job.reason, job.lost_attempts) == (JobState.FAILED, EndReason.STALLED, 1)
    assert "KD_STALL_SECONDS" in (job.end_detail or "")
    assert _kinds(impatient, job_id).count("ended") == 1
    with impatient.database.write() as repository:
        retry, _ = repository.retry(job_id)
        assert repository.artifacts(job_id, kind="checkpoint"), "the retry has nothing to go on from"
        repository.request_cancel(retry.id)
    submit(QUICK)
    assert run_next(impatient).state is JobState.FAILED


def test_a_check_has_a_limit_of_its_own(services: Services, tmp_path: Path) -> None:
    dataset = send_dataset(services, zipped(tmp_path / "sent.zip", by_class(3)))
    job = run_next(_with(services, check_seconds=1e-3))
    assert job.id == dataset.job.id
    assert (job.state, job.reason) == (JobState.FAILED, EndReason.TIMEOUT)
    assert "KD_CHECK_SECONDS allows 0.001" in (job.end_detail or "")


def test_a_worker_that_is_busy_itself_does_not_take_its_trainer_for_hung(
    services: Services, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow store keeps it for longer than a trainer may be quiet; the trainer's events wait meanwhile."""
    busy = _with(services, stall_seconds=3)
    put = type(busy.store).put

    def slow(*arguments: Any) -> Any:
        time.sleep(4)
        return put(*arguments)

    monkeypatch.setattr(type(busy.store), "put", slow)
    running = Running(submit(SLOW), busy)
    running.until(lambda: _kinds(busy, running.job_id).count("checkpoint_saved") > 0)
    busy.leaving.set()
    job = running.join()
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 0)
    assert "stalled" not in _kinds(busy, job.id)
