"""A sweep by a real trainer process, from the queue to its report; killed in the middle, it goes on."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from jobs.tables import TrialMetric
from tests.kd_engine.small_runs import DIGITS
from tests.stores import content
from tests.worker.conftest import Running, trainers
from worker.context import Services

SWEEP: dict[str, Any] = {
    "kind": "sweep",
    "base": DIGITS
    | {"student": "softmax_regression", "training": {"epochs": 5, "batch_size": 64}, "export": [], "repeats": 2},
    "space": {"temperature": [1, 4], "alpha": [0.9]},
    "trials": [{"alpha": 0.2}],
}


@pytest.mark.slow
def test_a_sweep_is_killed_and_ends_with_its_report(
    services: Services, submit: Callable[[dict[str, Any]], str], start: Callable[[str], Running]
) -> None:
    job_id = submit(SWEEP)
    running = start(job_id)
    running.wait_for("checkpoint_saved")
    for process in trainers(services.settings):
        os.kill(process.pid, signal.SIGKILL)
    job = running.join()
    assert job.state is JobState.QUEUED, job.end_detail
    job = start(job_id).join()
    assert (job.state, job.end_reason, job.attempt) == (JobState.SUCCEEDED, EndReason.COMPLETED, 2), job.end_detail
    assert job.progress is not None
    assert (job.progress["trials"], job.progress["trials_done"], job.progress["fraction"]) == (3, 3, 1.0)
    with services.database.read() as repository:
        artifacts = {row.name: row for row in repository.artifacts(job_id)}
        rows = repository.metrics_page(job_id, None, 1000)
        events = repository.events(job_id, 0, 1000)
        lines = [line.line for line in repository.log(job_id, 0, 1000)]
    assert {"report.json", "sweep.csv", "student.safetensors", "gain.png"} <= set(artifacts)
    report = json.loads(content(services.store, artifacts["report.json"].key))
    assert [row["state"] for row in report["trials"]] == ["succeeded"] * 3
    assert all(row["file"] in artifacts for row in report["trials"])
    table = content(services.store, artifacts["sweep.csv"].key).decode().splitlines()
    assert table[0].startswith("trial,alpha,temperature,")
    assert len(table) == 4
    counted = [(row.trial, row.repeat, row.epoch) for row in rows if isinstance(row, TrialMetric)]
    assert len(counted) == len(rows)
    students = [row for row in rows if row.phase == "student"]
    assert len(students) == 3 * 2 * 5
    ended = [event.data for event in events if event.type == "phase_ended"]
    assert sorted((end["trial"], end["repeat"]) for end in ended if end["phase"] == "student") == [
        (trial, repeat) for trial in range(3) for repeat in range(2)
    ]
    assert any("student 0 of trial 2: epoch 1 of 5" in line for line in lines)
