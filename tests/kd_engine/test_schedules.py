"""The factor on the learning rate over time."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_engine.schedules import SCHEDULES, Constant, Cosine, MultiStep, Schedule


def test_constant() -> None:
    assert [Constant().factor(epoch, 10) for epoch in (0, 0.5, 9.99)] == [1, 1, 1]


def test_multistep_falls_at_each_milestone() -> None:
    schedule = MultiStep(milestones=(100, 150), gamma=0.1)

    factors = [schedule.factor(epoch, 200) for epoch in (0, 99.99, 100, 149.99, 150, 199)]

    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])


def test_cosine_goes_from_one_to_final() -> None:
    schedule = Cosine(final=0.2)

    factors = [schedule.factor(epoch, 8) for epoch in (0, 2, 4, 8)]

    assert factors == pytest.approx([1, 0.2 + 0.4 * (1 + math.cos(math.pi / 4)), 0.6, 0.2])


def test_cosine_starts_after_the_warm_up() -> None:
    schedule = Cosine(warmup_epochs=2)

    assert [schedule.factor(epoch, 6) for epoch in (0, 1, 2, 4, 6)] == pytest.approx([0, 0.5, 1, 0.5, 0])


@pytest.mark.parametrize("schedule", [Constant(warmup_epochs=4), MultiStep(warmup_epochs=4), Cosine(warmup_epochs=4)])
def test_warm_up_rises_in_a_straight_line(schedule: Schedule) -> None:
    assert [schedule.factor(epoch, 12) for epoch in (0, 1, 2, 3, 4)] == pytest.approx([0, 0.25, 0.5, 0.75, 1])


@given(
    schedule=st.sampled_from(
        [
            Constant(),
            MultiStep(milestones=(1, 5)),
            Cosine(),
            Cosine(final=0.1, warmup_epochs=3),
            Cosine(warmup_epochs=99),
        ]
    ),
    epochs=st.integers(1, 50),
    position=st.floats(0, 1),
)
def test_factor_stays_between_zero_and_one(schedule: Schedule, epochs: int, position: float) -> None:
    assert 0 <= schedule.factor(position * epochs, epochs) <= 1


def test_registry() -> None:
    assert list(SCHEDULES) == ["constant", "cosine", "multistep"]
