"""Intervals against values from other sources, and against their own promise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from kd_engine.statistics import of_accuracy, of_paired_difference, over_seeds


def test_over_seeds_is_students_t() -> None:
    values = [0.91, 0.92, 0.935, 0.9, 0.915]
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    found = over_seeds(values)
    assert found.interval == pytest.approx((low, high))
    assert found.spread == pytest.approx(np.std(values, ddof=1))


@pytest.mark.parametrize(("correct", "images"), [(0, 10), (5, 10), (350, 360), (360, 360)])
def test_of_accuracy_is_wilsons(correct: int, images: int) -> None:
    reference = stats.binomtest(correct, images).proportion_ci(0.95, method="wilson")
    assert of_accuracy(correct, images).interval == pytest.approx((reference.low, reference.high), abs=1e-9)


def test_paired_difference_by_hand() -> None:
    """Agresti and Min 2005, worked by hand for b = 12, c = 5, n = 100."""
    found = of_paired_difference(12, 5, 100)
    centre, half = 7 / 102, 1.959964 * (18 - 49 / 102) ** 0.5 / 102
    assert found.mean == pytest.approx(0.07)
    assert found.interval == pytest.approx((centre - half, centre + half), abs=1e-6)


def test_equal_networks_are_no_evidence() -> None:
    low, high = of_paired_difference(0, 0, 360).interval
    assert low < 0 < high


def test_paired_interval_covers_the_truth() -> None:
    """Simulated networks whose true difference is 2 points: 95 % of the intervals hold it, give or take noise."""
    draws = np.random.default_rng(0).multinomial(400, [0.05, 0.03, 0.92], size=2000)
    inside = 0
    for only_first, only_second, _ in draws:
        low, high = of_paired_difference(int(only_first), int(only_second), 400).interval
        inside += low <= 0.02 <= high
    assert 0.935 <= inside / 2000 <= 0.97
