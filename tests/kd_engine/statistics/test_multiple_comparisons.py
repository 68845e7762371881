"""Holm's correction by hand, and how often a word is wrong where there is nothing to find."""

from __future__ import annotations

import math

import numpy as np
import pytest

from kd_engine.statistics.multiple_comparisons import Comparison, PairedDifference, compare, holm

TRIALS, IMAGES, SWEEPS = 24, 10_000, 150
SEED_SPREAD = 0.0034  # of a difference, as of softmax regressions on MNIST
DIFFERING = 0.05  # share of the images that two networks answer otherwise


def test_holm_by_hand() -> None:
    """.01 * 4, .02 * 3, .03 * 2, then not below the one before."""
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def one(by_seed: list[float], control: int = 0) -> PairedDifference:
    return PairedDifference(by_seed, 1e-9, control)


def test_a_single_difference_is_students_t_where_the_images_say_all() -> None:
    """Mean 2, spread 1, 3 seeds: t = 2 sqrt(3) with 2 degrees of freedom, p = 1 - t / sqrt(t^2 + 2)."""
    t = 2 * math.sqrt(3)
    [found] = compare([one([1.0, 2.0, 3.0])])
    assert found.p_value == pytest.approx(1 - t / math.sqrt(t * t + 2), abs=1e-6)
    assert found == Comparison(found.p_value, found.p_value, "no evidence")


def test_a_network_whose_seeds_lie_apart_is_not_believed_for_the_calm_of_others() -> None:
    calm = [one([0.0, 0.001, -0.001]) for _ in range(20)]
    wild, same_mean = compare([*calm, one([0.0, 0.06, 0.03])])[-1], compare([*calm, one([0.029, 0.03, 0.031])])[-1]
    assert wild.word == "no evidence"
    assert same_mean.word == "helped"


def test_failed_networks_count_in_the_correction() -> None:
    alone, among = (compare([one([0.01, 0.011, 0.012])], failed=failed)[0] for failed in (0, 9))
    assert among.p_value == alone.p_value
    assert among.corrected == pytest.approx(10 * alone.p_value)


def test_one_seed_tells_nothing_and_no_networks_are_no_family() -> None:
    assert compare([one([0.5])]) == [Comparison(1.0, 1.0, "no evidence")]
    assert compare([]) == []
    with pytest.raises(ValueError, match="same number of seeds"):
        compare([one([1.0]), one([1.0, 2.0])])


def test_equal_networks_are_no_evidence() -> None:
    assert compare([one([0.0, 0.0]), one([0.0, 0.0])])[0].word == "no evidence"


def sweep(random: np.random.Generator, seeds: int, gain: float, wildest: float) -> list[Comparison]:
    """Students of one control; the first is better by `gain`, and some spread up to `wildest` times as far."""
    spread = SEED_SPREAD / math.sqrt(2)
    own = spread * np.exp(random.uniform(-math.log(wildest), math.log(wildest), TRIALS))
    error = math.sqrt(DIFFERING / IMAGES)
    half = error / math.sqrt(2)
    images_M = random.normal(0, half, TRIALS) - random.normal(0, half)
    by_seed_MR = random.normal(0, 1, (TRIALS, seeds)) * own[:, None] - random.normal(0, spread, seeds)
    by_seed_MR += images_M[:, None] + random.normal(0, half, (TRIALS, seeds))
    by_seed_MR[0] += gain
    return compare([PairedDifference(row.tolist(), error) for row in by_seed_MR])


@pytest.mark.parametrize(("seeds", "wildest"), [(2, 1.0), (3, 1.0), (3, 3.0), (5, 1.0)])
def test_a_null_sweep_of_24_has_a_word_in_at_most_5_of_100(seeds: int, wildest: float) -> None:
    random = np.random.default_rng(15)
    words = sum(any(found.word != "no evidence" for found in sweep(random, seeds, 0, wildest)) for _ in range(SWEEPS))
    assert words <= 0.05 * SWEEPS


def test_one_of_24_that_gains_three_points_is_named_in_at_least_70_of_100() -> None:
    random = np.random.default_rng(15)
    found = [sweep(random, 3, 0.03, 1.0) for _ in range(SWEEPS)]
    assert sum(comparisons[0].word == "helped" for comparisons in found) >= 0.7 * SWEEPS
