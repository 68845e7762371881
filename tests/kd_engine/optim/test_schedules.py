"""The factor on the learning rate over time."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kd_engine.optim.schedules import SCHEDULES, Constant, Cosine, MultiStep, OneCycle, Schedule


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


@pytest.mark.parametrize(
    "schedule", [Constant(), Cosine(), OneCycle(), MultiStep(milestones=(2, 6))], ids=lambda schedule: schedule.name
)
def test_a_warm_up_leads_into_the_schedule(schedule: Schedule) -> None:
    warmed = schedule.model_copy(update={"warmup_epochs": 3.0})

    assert warmed.factor(3 - 1e-9, 12) == pytest.approx(warmed.factor(3, 12), rel=1e-6)
    assert warmed.factor(1, 12) == pytest.approx(warmed.factor(3, 12) / 3)


def test_onecycle_with_a_warm_up_reaches_the_full_rate() -> None:
    schedule = OneCycle(warmup_epochs=3)

    assert schedule.factor(3 + 0.3 * 9, 12) == pytest.approx(1)
    assert max(schedule.factor(step / 10, 12) for step in range(31)) == pytest.approx(1 / 25)


def test_a_warm_up_counts_its_step_as_done() -> None:
    steps = [Cosine(warmup_epochs=2).factor(step / 4, 6, 1 / 4) for step in range(10)]

    assert steps[:9] == pytest.approx([1 / 8, 2 / 8, 3 / 8, 4 / 8, 5 / 8, 6 / 8, 7 / 8, 1, 1])
    assert steps[9] < 1


def test_onecycle_is_torchs() -> None:
    """Compared step by step with the library's own schedule, 10 steps an epoch."""
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=101, cycle_momentum=False)
    rates = []
    for _ in range(101):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if len(rates) < 101:
            reference.step()
    ours = [OneCycle().factor(step / 10, 10) for step in range(101)]
    # the library's rise ends between two steps, at .3 of the steps less one
    assert ours == pytest.approx(rates, abs=0.03)
    assert (ours[0], ours[30], ours[100]) == pytest.approx((1 / 25, 1, 1 / 25e4))


@given(
    schedule=st.sampled_from(
        [
            Constant(),
            MultiStep(milestones=(1, 5)),
            Cosine(),
            Cosine(final=0.1, warmup_epochs=3),
            Cosine(warmup_epochs=99),
            OneCycle(),
        ]
    ),
    epochs=st.integers(1, 50),
    position=st.floats(0, 1),
)
def test_factor_stays_between_zero_and_one(schedule: Schedule, epochs: int, position: float) -> None:
    assert 0 <= schedule.factor(position * epochs, epochs) <= 1


def test_registry() -> None:
    assert list(SCHEDULES) == ["constant", "cosine", "multistep", "onecycle"]
