"""What a worker reports of a job: in order, without gaps, and counted once. On both databases."""

from __future__ import annotations

import math
from collections.abc import Callable

from jobs.database import Database
from jobs.repository import Repository
from kd_engine.schema.events import CheckpointSaved, Finished, PhaseStarted, RunStarted
from tests.jobs.samples import (
    a_phase_end,
    all_at_once,
    an_epoch,
    claim,
    events_of,
    everything,
    read,
    running,
    some_progress,
)


def test_events_are_recorded_in_order_without_gaps(database: Database) -> None:
    job_id, token = running(database)
    started = RunStarted(device="cpu", threads=2)
    phase = PhaseStarted(phase="teacher", repeat=0, epochs=2)
    saved = CheckpointSaved(path="checkpoint.pt", phase="teacher", repeat=0, epoch=1)
    with database.write() as repository:
        repository.record(job_id, token, [started, phase, an_epoch(1, "teacher"), some_progress(1), saved])
    with database.write() as repository:
        repository.record(job_id, token, [a_phase_end("teacher"), Finished(reason="completed", artifacts=("a", "b"))])
    events = events_of(database, job_id)
    assert [event.seq for event in events] == list(range(1, 9))
    assert [event.type for event in events[2:]] == [
        *("run_started", "phase_started", "epoch_end", "checkpoint_saved", "phase_ended", "finished")
    ]
    assert events[2].data == {"device": "cpu", "threads": 2, "resumed": False, "version": 1}
    assert events[-1].data["artifacts"] == ["a", "b"]
    assert read(database, job_id).last_event == 8


def test_each_record_is_one_step_of_the_version(database: Database) -> None:
    job_id, token = running(database)
    before = read(database, job_id).version
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(1), some_progress(1), an_epoch(2), a_phase_end()])
    assert read(database, job_id).version == before + 1
    with database.write() as repository:
        repository.record(job_id, token, [some_progress(2)])
    assert read(database, job_id).version == before + 2
    with database.write() as repository:
        repository.record(job_id, token, [])
    assert read(database, job_id).version == before + 2


def test_progress_shows_only_in_the_job(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.record(job_id, token, [some_progress(1), some_progress(2)])
    job = read(database, job_id)
    expected = {"phase": "student", "repeat": 0, "epoch": 1, "step": 2, "steps": 100}
    assert job.progress == {**expected, "fraction": 0.02, "seconds_remaining": None}
    assert job.last_event == 2


def test_an_epoch_counts_once(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(1, val_accuracy=0.5), an_epoch(2, val_accuracy=0.6)])
        repository.hand_back(job_id, token, "deploy")
    token = claim(database, job_id)
    before = everything(database, job_id)
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(2, val_accuracy=0.9), an_epoch(1, val_accuracy=0.9)])
    assert everything(database, job_id) == before
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(2, val_accuracy=0.9), an_epoch(3, val_accuracy=0.7)])
        # The same epoch of another phase or repeat is another epoch.
        repository.record(job_id, token, [an_epoch(1, "teacher"), an_epoch(1, repeat=1)])
    with database.read() as repository:
        metrics = repository.metrics(job_id)
    assert [(row.phase, row.repeat, row.epoch, row.values["val_accuracy"]) for row in metrics] == [
        ("teacher", 0, 1, 0.5),
        ("student", 0, 1, 0.5),
        ("student", 0, 2, 0.6),
        ("student", 0, 3, 0.7),
        ("student", 1, 1, 0.5),
    ]
    kinds = [event.type for event in events_of(database, job_id)]
    assert kinds.count("epoch_end") == 5
    assert read(database, job_id).metrics == {"phase": "student", "repeat": 1, "epoch": 1, "val_accuracy": 0.5}


def test_the_end_of_a_phase_counts_once(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.record(job_id, token, [a_phase_end("teacher"), a_phase_end("teacher"), a_phase_end("baseline")])
    with database.write() as repository:
        repository.record(job_id, token, [a_phase_end("baseline"), a_phase_end("baseline", 1), a_phase_end("teacher")])
    ended = [event.data for event in events_of(database, job_id) if event.type == "phase_ended"]
    assert [(data["phase"], data["repeat"]) for data in ended] == [("teacher", 0), ("baseline", 0), ("baseline", 1)]


def test_what_json_cannot_hold_is_stored_as_nothing(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(1, train_loss=math.nan, val_loss=math.inf, lr=0.1)])
    with database.read() as repository:
        assert repository.metrics(job_id)[0].values == {"train_loss": None, "val_loss": None, "lr": 0.1}
    assert events_of(database, job_id)[-1].data["metrics"] == {"train_loss": None, "val_loss": None, "lr": 0.1}


def test_writers_at_once_give_no_number_twice_and_count_all_once(database: Database) -> None:
    job_id, token = running(database)

    def record(epoch: int) -> Callable[[Repository], None]:
        return lambda repository: repository.record(job_id, token, [a_phase_end(), an_epoch(epoch), an_epoch(100)])

    all_at_once(database, [record(epoch) for epoch in range(1, 9)])
    events = events_of(database, job_id)
    # Created, claimed, eight epochs of their own, one in common, one end of the phase.
    assert [event.seq for event in events] == list(range(1, 2 + 8 + 1 + 1 + 1))
    assert [event.type for event in events].count("phase_ended") == 1
    assert read(database, job_id).last_event == 12
