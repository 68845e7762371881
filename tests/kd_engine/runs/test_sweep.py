"""A sweep on the digits: its students are those of jobs of their own, to the byte, whatever happens to the others."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from kd_engine.runs.node_runner import NodeRunner
from kd_engine.runs.plan import Train
from kd_engine.runs.plan_runner import CHECKPOINT_FILE
from kd_engine.schema.errors import DivergedError
from kd_engine.schema.evaluation_report import read_report
from kd_engine.schema.events import CheckpointSaved, Event
from kd_engine.schema.sweep_report import SweepReport, TrialRow
from tests.kd_engine.small_runs import LONG, Recorder, run_spec

CNN = {"model": "mnist_cnn", "params": {"channels": [2, 4], "hidden": 8}}
TRIALS: list[dict[str, Any]] = [
    {"temperature": 3},  # of the base: a network with dropout, from kept logits
    {"temperature": 1, "teacher_cache": "off"},
    {"losses": [{"kind": "fitnets"}, "kl"], "student": CNN},  # a loss that learns, on a teacher's maps
    {"losses": [{"kind": "logits", "weight": 1000}], "training.optimizer": {"name": "sgd", "lr": 1}},
    {"training.optimizer.lr": 3.0, "training.patience": 1},
]
DROPOUT, LIVE, MAPS, DIVERGES, IMPATIENT = range(5)
SWEEP: dict[str, Any] = {
    "kind": "sweep",
    "name": "all sorts",
    "base": LONG | {"repeats": 2, "training": {"epochs": 3, "batch_size": 256}},
    "trials": TRIALS,
}


class Ran(NamedTuple):
    out: Path
    cache: Path
    recorder: Recorder
    report: SweepReport
    artifacts: tuple[str, ...]


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    out, cache = tmp_path_factory.mktemp("sweep"), tmp_path_factory.mktemp("cache")
    recorder = Recorder()
    finished = run_spec(SWEEP, out, recorder, cache_dir=cache)
    assert finished.reason == "completed", finished.detail
    report = read_report((out / "report.json").read_text())
    assert isinstance(report, SweepReport)
    return Ran(out, cache, recorder, report, finished.artifacts)


def student(folder: Path, number: int) -> bytes:
    return (folder / "trials" / f"{number:03}" / "student.safetensors").read_bytes()


@pytest.mark.parametrize("number", [DROPOUT, LIVE, MAPS, IMPATIENT])
def test_a_trials_student_is_that_of_the_same_job_alone(number: int, ran: Ran, tmp_path: Path) -> None:
    spec = json.loads((ran.out / "trials" / f"{number:03}" / "spec.json").read_text())
    assert run_spec(spec, tmp_path, cache_dir=ran.cache).reason == "completed"
    assert (tmp_path / "student.safetensors").read_bytes() == student(ran.out, number)


def test_a_trial_that_diverges_ends_alone(ran: Ran) -> None:
    failed = ran.report.trials[DIVERGES]
    assert (failed.state, failed.verdict, failed.file, failed.runs) == ("diverged", "not measured", None, ())
    assert "not finite in epoch 2" in failed.detail
    assert [row.state for row in ran.report.trials].count("succeeded") == len(TRIALS) - 1
    assert all(row.p_value is not None for row in ran.report.trials if row is not failed)


def epochs_of(ran: Ran, phase: str, trial: int | None) -> list[int]:
    return [event.epoch for event in ran.recorder.of("epoch_end") if (event.phase, event.trial) == (phase, trial)]


def test_one_that_runs_out_of_patience_leaves_the_others_training(ran: Ran) -> None:
    assert len(epochs_of(ran, "student", IMPATIENT)) < len(epochs_of(ran, "student", DROPOUT)) == 2 * 3


def test_teacher_and_students_alone_are_trained_once(ran: Ran) -> None:
    assert [(event.phase, event.trial, event.repeat) for event in ran.recorder.of("phase_ended")
            if event.phase == "teacher"] == [("teacher", 0, 0)]  # fmt: skip
    alone = [(event.trial, event.repeat) for event in ran.recorder.of("phase_ended") if event.phase == "baseline"]
    # of the network with dropout, of the other network, and of the other two recipes
    assert alone == [(trial, repeat) for repeat in (0, 1) for trial in (0, MAPS, DIVERGES, IMPATIENT)]
    assert [row.trials for row in ran.report.controls] == [(DROPOUT, LIVE), (MAPS,), (DIVERGES,), (IMPATIENT,)]
    assert [row.trials for row in ran.report.teachers] == [tuple(range(len(TRIALS)))]


def test_progress_counts_trials_and_estimates_the_end(ran: Ran) -> None:
    told = ran.recorder.of("progress")
    assert {event.trials for event in told} == {len(TRIALS)}
    assert told[0].trials_done == 0
    assert (told[-1].fraction, told[-1].trials_done) == (1, len(TRIALS))
    assert all(event.seconds_remaining is not None for event in told[1:])


def test_the_best_on_validation_is_chosen_and_published(ran: Ran) -> None:
    report = ran.report
    done = [row for row in report.trials if row.validation is not None]
    chosen = report.trials[report.chosen]

    def validation(row: TrialRow) -> float:
        assert row.validation is not None
        return row.validation

    assert chosen.validation == max(map(validation, done))
    assert (ran.out / "student.safetensors").read_bytes() == student(ran.out, chosen.number)
    assert report.verdict == chosen.verdict
    assert report.summary in (ran.out / "MODEL_CARD.md").read_text()
    assert sum(report.counts.values()) == len(TRIALS)


def test_every_p_value_is_corrected_for_all_trials(ran: Ran) -> None:
    measured = [row for row in ran.report.trials if row.p_value is not None]
    smallest = min(measured, key=lambda row: row.p_value or 0.0)
    assert smallest.corrected_p_value == pytest.approx(min(1, len(TRIALS) * (smallest.p_value or 0.0)))


def test_the_table_has_a_line_a_trial(ran: Ran) -> None:
    rows = list(csv.DictReader((ran.out / "sweep.csv").read_text().splitlines()))
    assert [row["trial"] for row in rows] == [str(number) for number in range(len(TRIALS))]
    assert [row["training.patience"] for row in rows] == ["", "", "", "", "1"]
    assert float(rows[0]["difference"]) == ran.report.trials[0].difference.mean  # type: ignore[union-attr]


def test_all_artifacts_are_there(ran: Ran) -> None:
    assert len(set(ran.artifacts)) == len(ran.artifacts)
    assert all((ran.out / name).is_file() for name in ran.artifacts)
    assert {"student.safetensors", "sweep.csv", "trials/002/student.safetensors"} <= set(ran.artifacts)


class Killed(BaseException):
    """As a `kill -9` that hits right after a checkpoint."""


def kill_after(checkpoints: int) -> Any:
    left: Iterator[int] = iter(range(checkpoints))

    def emit(event: Event) -> None:
        if isinstance(event, CheckpointSaved) and next(left, None) is None:
            raise Killed

    return emit


@pytest.mark.parametrize("checkpoints", [11, 33])  # in the group of each seed
def test_a_sweep_that_is_killed_goes_on_to_the_same_bytes(ran: Ran, tmp_path: Path, checkpoints: int) -> None:
    recorder = Recorder()
    recorder.emit = kill_after(checkpoints)  # type: ignore[method-assign]
    with pytest.raises(Killed):
        run_spec(SWEEP, tmp_path, recorder, cache_dir=ran.cache, checkpoint_seconds=0)

    again = Recorder()
    finished = run_spec(SWEEP, tmp_path, again, cache_dir=ran.cache, resume_from=tmp_path / CHECKPOINT_FILE)

    assert finished.reason == "completed", finished.detail
    assert len(again.of("epoch_end")) < len(ran.recorder.of("epoch_end"))
    for number in (DROPOUT, LIVE, MAPS, IMPATIENT):
        assert student(tmp_path, number) == student(ran.out, number)
    assert (tmp_path / "sweep.csv").read_bytes() == (ran.out / "sweep.csv").read_bytes()


def test_what_shares_a_network_that_diverges_ends_with_it(
    ran: Ran, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A student alone of a network of its own, and the teacher of the last trial."""
    train = NodeRunner.run

    def diverging(self: NodeRunner, node: Train, unfinished: dict[str, Any] | None = None) -> Any:
        if (node.name.phase, node.name.trial) in {("baseline", 1), ("teacher", 2)}:
            raise DivergedError(f"the loss of the {node.name.phase} is not finite.")
        return train(self, node, unfinished)

    monkeypatch.setattr(NodeRunner, "run", diverging)
    other = {"teacher": {"model": "mlp", "params": {"hidden": [8]}, "training": {"epochs": 1}}}
    base = SWEEP["base"] | {"repeats": 1, "training": {"epochs": 1, "batch_size": 256}}
    recorder = Recorder()
    finished = run_spec(SWEEP | {"base": base, "trials": [{}, {"student": CNN}, other]}, tmp_path, recorder,
                        cache_dir=ran.cache)  # fmt: skip

    assert finished.reason == "completed", finished.detail
    report = read_report((tmp_path / "report.json").read_text())
    assert isinstance(report, SweepReport)
    assert [(row.state, row.difference is None) for row in report.trials] == [
        ("succeeded", False), ("succeeded", True), ("diverged", True),
    ]  # fmt: skip
    assert report.trials[2].detail == "the loss of the teacher is not finite."
    assert [row.trials for row in report.controls] == [(0, 2)]


def test_a_sweep_without_any_student_fails(ran: Ran, tmp_path: Path) -> None:
    hopeless = {"trials": [TRIALS[DIVERGES]], "base": SWEEP["base"] | {"repeats": 1}}
    finished = run_spec(SWEEP | hopeless, tmp_path, cache_dir=ran.cache)
    assert finished.reason == "diverged"
    assert "no trial has ended with a student; the first: the loss of the student" in finished.detail
