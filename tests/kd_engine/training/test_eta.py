"""What is left of a job: from measured epochs, and from what epochs of other networks are expected to take."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_engine.runs import speed_trial
from kd_engine.runs.speed_trial import Speed
from kd_engine.schema.events import Event, Progress
from kd_engine.schema.phases import NodeName
from kd_engine.training import callbacks
from kd_engine.training.eta import EtaEstimator, Expected
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec

TEACHER, ALONE, STUDENT, SECOND = NodeName("teacher"), NodeName("baseline"), NodeName("student"), NodeName("student", 1)
PLAN = {TEACHER: 4, ALONE: 10, STUDENT: 10}


def ahead(eta: EtaEstimator) -> float:
    seconds = eta.seconds_remaining
    assert seconds is not None
    return seconds


def test_after_one_epoch_of_a_large_teacher_small_students_count_as_what_they_are() -> None:
    eta = EtaEstimator(PLAN)
    eta.expect({"teacher": Expected(20), "baseline": Expected(1), "student": Expected(2)}, end_seconds=5)
    assert eta.seconds_remaining is None

    eta.measured("teacher", 40)  # twice as long as a trial said: all will be
    eta.at(TEACHER, 1)

    assert ahead(eta) == pytest.approx(2 * (3 * 20 + 10 * 1 + 10 * 2) + 5)


def test_what_was_measured_counts_more_than_what_was_expected() -> None:
    eta = EtaEstimator(PLAN)
    eta.expect({"teacher": Expected(20), "baseline": Expected(1), "student": Expected(2)})
    eta.skip(TEACHER)
    for epoch in range(1, 6):
        eta.measured("baseline", 3)
        eta.at(ALONE, epoch)

    assert ahead(eta) == pytest.approx(5 * 3 + 3 * 10 * 2)


def test_the_first_epoch_of_a_student_fills_the_cache_of_its_teacher() -> None:
    eta = EtaEstimator({STUDENT: 10, SECOND: 10})
    eta.expect({"student": Expected(1, more=9)})
    eta.measured("student", 10)
    eta.at(STUDENT, 1)

    assert ahead(eta) == pytest.approx(19)


def test_views_that_are_drawn_are_found_in_the_cache_more_and_more() -> None:
    expected = Expected(1, more=8, left=0.5)

    assert [expected.epochs(done, done + 1) for done in range(4)] == [9, 5, 3, 2]
    assert expected.epochs(0, 1.5) + expected.epochs(1.5, 4) == pytest.approx(19)
    assert Expected(1, more=8, left=1).epochs(0, 3) == pytest.approx(27)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_what_an_earlier_job_has_cached_is_not_counted(share: float) -> None:
    eta = EtaEstimator({STUDENT: 10})
    eta.expect({"student": Expected(1, more=9)})
    eta.found("student", share)
    eta.measured("student", 1 + 9 * (1 - share))
    eta.at(STUDENT, 1)

    assert ahead(eta) == pytest.approx(9)


def test_without_a_trial_all_epochs_are_alike() -> None:
    eta = EtaEstimator(PLAN)
    eta.measured("teacher", 2)
    eta.at(TEACHER, 1)

    assert ahead(eta) == pytest.approx(2 * 23)


def test_repeats_that_turn_out_not_to_be_needed_are_not_counted() -> None:
    eta = EtaEstimator(PLAN | {SECOND: 10})
    eta.measured("teacher", 1)
    for name, epochs in PLAN.items():
        eta.at(name, epochs)
    assert ahead(eta) == pytest.approx(10)

    eta.end()

    assert ahead(eta) == 0


class Clock:
    """Time passes by what is computed: a step or an answer of an image costs what its network costs."""

    def __init__(self, costs: dict[str, tuple[float, float]]) -> None:
        self.now, self.costs = 0.0, costs

    def monotonic(self) -> float:
        return self.now


def test_a_real_run_is_right_within_a_third_after_the_first_epoch_of_each_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A teacher thirty times as dear as its student; the clock is of the images that each of them sees."""
    from kd_engine.networks.network import Network
    from kd_engine.training.trainer import Trainer

    clock = Clock({"mnist_cnn": (3e-3, 1e-3), "mlp": (1e-4, 3e-5)})
    step, answer = Trainer.train_step, Network.logits

    def stepped(self: Trainer, batch: object) -> object:
        clock.now += clock.costs[self.network.architecture.model][0] * batch.images  # type: ignore[attr-defined]
        return step(self, batch)  # type: ignore[arg-type]

    def answered(self: Network, images: object, *others: object) -> object:
        clock.now += clock.costs[self.architecture.model][1] * len(images)  # type: ignore[arg-type]
        return answer(self, images, *others)  # type: ignore[arg-type]

    def learning(network: Network, data: object, recipe: object) -> Speed:
        return Speed(*clock.costs[network.architecture.model])

    monkeypatch.setattr(Trainer, "train_step", stepped)
    monkeypatch.setattr(Network, "logits", answered)
    monkeypatch.setattr("kd_engine.runs.forecast.learning_speed", learning)
    monkeypatch.setattr("kd_engine.runs.forecast.publishing_seconds", lambda answers, exports: 0.0)
    monkeypatch.setattr(callbacks, "time", clock)
    told: list[tuple[float, str, int, float]] = []

    class Timed(Recorder):
        def emit(self, event: Event) -> None:
            if isinstance(event, Progress) and event.step == 0:
                told.append((clock.now, event.phase, event.repeat, event.seconds_remaining or 0.0))

    spec = DIGITS | {
        "teacher": {"model": "mnist_cnn", "training": {"epochs": 3}},
        "student": "mlp",
        "training": {"epochs": 6},
        "export": [],
        "repeats": 2,
    }
    run_spec(spec, tmp_path, Timed())
    end = next(now for now, phase, repeat, _ in reversed(told) if (phase, repeat) == ("student", 1))
    firsts = {(phase, repeat): (now, left) for now, phase, repeat, left in reversed(told)}
    assert len(firsts) == 5
    for (phase, repeat), (now, left) in firsts.items():
        assert left == pytest.approx(end - now, rel=1 / 3), (phase, repeat)


def test_a_trial_leaves_no_trace_in_what_is_trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tried in (True, False):
        if not tried:
            monkeypatch.setattr("kd_engine.runs.forecast.learning_speed", trial_fails)
        run_spec(DIGITS, tmp_path / str(tried))
    with_trial, without = ((tmp_path / str(tried) / "student.safetensors").read_bytes() for tried in (True, False))

    assert with_trial == without


def trial_fails(*_: object) -> speed_trial.Speed:
    raise RuntimeError("no room for a trial")
