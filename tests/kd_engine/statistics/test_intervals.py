"""Intervals against values from other sources, and against their own promise."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from kd_engine.statistics.intervals import (
    Estimate,
    of_accuracies,
    of_accuracy,
    of_accuracy_differences,
    of_calibration_differences,
    of_mean_differences,
    of_paired_difference,
    of_paired_means,
)


def of_paired_calibration(first: tuple[torch.Tensor, ...], second: tuple[torch.Tensor, ...]) -> Estimate:
    """Of one seed."""
    (one, right), (other, hit) = ([tensor[None] for tensor in network] for network in (first, second))
    return of_calibration_differences((one, right), (other, hit))


def test_both_sources_make_the_interval_of_several_seeds() -> None:
    """Student's t over the seeds, the normal interval over the images: the root of the sum of their squares."""
    random = np.random.default_rng(0)
    first_RN, second_RN = random.normal(1.0, 2, (5, 300)), random.normal(0.9, 2, (5, 300))
    differences_RN = first_RN - second_RN
    seeds = stats.ttest_1samp(differences_RN.mean(axis=1), 0).confidence_interval(0.95)
    images = stats.sem(differences_RN.mean(axis=0)) * stats.norm.ppf(0.975)
    half = np.hypot((seeds.high - seeds.low) / 2, images)

    found = of_mean_differences(torch.from_numpy(first_RN), torch.from_numpy(second_RN))

    assert found.interval == pytest.approx((differences_RN.mean() - half, differences_RN.mean() + half))
    assert (found.mean, found.kind) == (pytest.approx(differences_RN.mean()), "seeds and images")
    assert found.spread == pytest.approx(np.std(differences_RN.mean(axis=1), ddof=1))


def test_seeds_that_agree_do_not_make_an_interval_of_no_width() -> None:
    first, second = torch.ones(2, 50, dtype=torch.bool), torch.ones(2, 50, dtype=torch.bool)
    second[:, 0] = False  # both seeds: +2.00 points
    found = of_accuracy_differences(first, second)
    assert found.mean == pytest.approx(0.02)
    assert found.interval[0] < 0 < 0.02 < found.interval[1] <= 1
    low, high = of_accuracies(first).interval
    assert low < 0.97
    assert high == 1


def test_a_mean_over_one_image_has_no_interval() -> None:
    one = torch.tensor([[1.0]])
    for first in (one, one.repeat(3, 1)):
        found = of_mean_differences(first, first - 1)
        assert found.documented().interval is None
    assert of_accuracy_differences(one > 0, one < 0).interval[1] <= 1


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


def test_paired_means_are_students_t_for_pairs() -> None:
    random = np.random.default_rng(0)
    first_N, second_N = random.normal(1.0, 2, 300), random.normal(0.9, 2, 300)
    reference = stats.ttest_rel(first_N, second_N)
    found = of_paired_means(torch.from_numpy(first_N), torch.from_numpy(second_N))
    assert found.mean == pytest.approx(first_N.mean() - second_N.mean())
    assert found.interval == pytest.approx(tuple(reference.confidence_interval(0.95)))


def _answers(random: np.random.Generator, images: int, boast: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Confidences, and hits of a network that is right less often than it says, by `boast`."""
    confidence_N = random.uniform(0.5, 1, images)
    hit_N = random.uniform(0, 1, images) < confidence_N - boast
    return torch.from_numpy(confidence_N), torch.from_numpy(hit_N)


@pytest.mark.parametrize("boasts", [(0.2, 0.1), (0.1, 0.0)])
def test_calibration_interval_covers_what_is_measured_on_average(
    monkeypatch: pytest.MonkeyPatch, boasts: tuple[float, float]
) -> None:
    """95 % of simulated intervals hold the mean of simulated differences, give or take noise."""
    monkeypatch.setattr("kd_engine.statistics.intervals._RESAMPLES", 150)
    random = np.random.default_rng(0)
    found = [of_paired_calibration(*(_answers(random, 600, boast) for boast in boasts)) for _ in range(200)]
    expected = np.mean([estimate.mean for estimate in found])
    inside = sum(estimate.interval[0] <= expected <= estimate.interval[1] for estimate in found)
    assert 0.9 <= inside / 200 <= 0.99


def test_equally_calibrated_networks_are_no_evidence() -> None:
    answers = _answers(np.random.default_rng(0), 500, 0.1)
    assert of_paired_calibration(answers, answers).interval == (0, 0)
    low, high = of_paired_calibration(answers, _answers(np.random.default_rng(1), 500, 0.1)).interval
    assert low < 0 < high


def test_calibration_interval_is_the_same_twice() -> None:
    random = np.random.default_rng(0)
    first, second = _answers(random, 300, 0.2), _answers(random, 300, 0.0)
    assert of_paired_calibration(first, second) == of_paired_calibration(first, second)
