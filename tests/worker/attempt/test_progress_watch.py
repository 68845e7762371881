"""When a quiet trainer is said to be stalled, and when it is ended, by a clock that the test turns."""

from __future__ import annotations

import pytest

from kd_engine.schema.events import Event, PhaseStarted, Progress, RunStarted, Working
from worker.attempt.progress_watch import ProgressWatch

RUN = RunStarted(device="cpu", threads=1)
STEP = Progress(phase="student", repeat=0, epoch=2, step=7, steps=9, fraction=0.5, seconds_remaining=None)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Notes:
    """What was written down, in order; raises instead while `away`."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str] | str] = []
        self.away = False

    def write(self, quiet_seconds: float, doing: str) -> None:
        self._tell((quiet_seconds, doing))

    def recover(self) -> None:
        self._tell("recovered")

    def _tell(self, what: tuple[float, str] | str) -> None:
        if self.away:
            raise ConnectionError
        self.told.append(what)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watch(clock: Clock) -> ProgressWatch:
    """One that has heard that its trainer runs."""
    watch = ProgressWatch(600, clock)
    watch.begin()
    watch.heard(RUN)
    return watch


def test_a_trainer_that_gets_on_is_neither(watch: ProgressWatch, clock: Clock) -> None:
    for _ in range(100):
        clock.now += 199
        assert (watch.stalled, watch.hung) == (False, None)
        watch.heard(STEP)


def test_it_is_stalled_after_a_third_of_the_time_and_ended_after_all_of_it(watch: ProgressWatch, clock: Clock) -> None:
    watch.heard(STEP)
    clock.now += 200
    assert (watch.stalled, watch.hung) == (True, None)
    clock.now += 399
    assert watch.hung is None
    clock.now += 1
    assert watch.hung is not None
    assert "no progress for 600 s" in watch.hung
    assert "while it was training the student (epoch 2)" in watch.hung


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (RUN, "reading what it needs"),
        (PhaseStarted(phase="teacher", repeat=1, epochs=3), "training the teacher"),
        (Working(doing="decoding pictures"), "decoding pictures"),
    ],
)
def test_every_event_is_progress_and_what_it_did_is_named(
    watch: ProgressWatch, clock: Clock, event: Event, words: str
) -> None:
    clock.now += 599
    watch.heard(event)
    assert not watch.stalled
    clock.now += 600
    assert (watch.hung or "").endswith(words)


def test_it_is_told_once_and_its_recovery_too(watch: ProgressWatch, clock: Clock) -> None:
    notes = Notes()
    for _ in range(3):
        watch.note(notes.write, notes.recover)
    clock.now += 250
    for _ in range(3):
        watch.note(notes.write, notes.recover)
    watch.heard(STEP)
    for _ in range(3):
        watch.note(notes.write, notes.recover)
    assert notes.told == [(250, "reading what it needs"), "recovered"]


def test_what_could_not_be_written_is_written_later(watch: ProgressWatch, clock: Clock) -> None:
    notes = Notes()
    clock.now += 250
    notes.away = True
    with pytest.raises(ConnectionError):
        watch.note(notes.write, notes.recover)
    clock.now += 50
    notes.away = False
    watch.note(notes.write, notes.recover)
    assert notes.told == [(300, "reading what it needs")]


def test_one_call_that_said_so_may_take_longer_and_only_that_one(watch: ProgressWatch, clock: Clock) -> None:
    watch.heard(Working(doing="compiling the teacher", patience_seconds=3600))
    clock.now += 1199
    assert not watch.stalled
    clock.now += 2400
    assert watch.hung is None
    clock.now += 1
    assert watch.hung is not None
    watch.heard(Working(doing="through with compiling the teacher"))
    clock.now += 600
    assert watch.hung is not None


def test_a_word_of_less_patience_takes_none_away(watch: ProgressWatch, clock: Clock) -> None:
    watch.heard(Working(doing="writing a file", patience_seconds=61))
    clock.now += 199
    assert not watch.stalled


def test_a_start_may_take_longer_than_a_short_setting(clock: Clock) -> None:
    watch = ProgressWatch(2, clock)
    clock.now += 1000  # what is prepared before the trainer starts is not its time
    watch.begin()
    clock.now += 39
    assert not watch.stalled
    clock.now += 81
    assert watch.hung is not None
    watch.heard(RUN)
    clock.now += 2
    assert watch.hung is not None
