"""The promise of a verdict, counted: simulated pairs of networks whose true difference is known.

Of each pair of networks some images are named right by one of them whatever the seed, others by chance; seeds differ
among themselves, and so do test splits. `docs/results.md` has a larger count.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kd_engine.looks import confidences
from kd_engine.spec.repeats import RepeatsUntil
from kd_engine.statistics import of_accuracy_differences

SPREAD = 0.0034  # of seeds' differences, as ten-class jobs of 10,000 images showed


def draw(
    random: np.random.Generator, seeds: int, images: int, gain: float, *, differ: float, steady: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Which images each network names right, `[R, N]`, of a pair whose true difference is `gain`.

    Args:
        differ: share of images that only one of the two names right.
        steady: share of those that are the same images for every seed.
    """
    by_chance = differ * (1 - steady)
    own = np.sqrt(max(SPREAD**2 - by_chance / 10_000, 0))
    gain_R = gain + own * random.standard_normal(seeds)
    side_N = np.where(random.random(images) < differ * steady, random.choice([1, -1], images), 0)
    more_R = np.clip((by_chance + gain_R) / 2, 0, None)
    less_R = more_R - gain_R
    at_RN = random.random((seeds, images))
    chance_RN = (at_RN < more_R[:, None]).astype(int) - (at_RN >= 1 - less_R[:, None])
    difference_RN = torch.from_numpy(np.where(side_N != 0, side_N, chance_RN))
    return difference_RN > 0, difference_RN < 0


def words(seeds: int, images: int, gain: float, *, differ: float, steady: float, times: int) -> tuple[float, float]:
    """Shares of pairs that are called helped and hurt."""
    random = np.random.default_rng([seeds, images, times])
    found = [of_accuracy_differences(*draw(random, seeds, images, gain, differ=differ, steady=steady)).interval
             for _ in range(times)]  # fmt: skip
    return sum(low > 0 for low, _ in found) / times, sum(high < 0 for _, high in found) / times


@pytest.mark.parametrize("seeds", [2, 3, 5])
@pytest.mark.parametrize(("images", "times"), [(50, 400), (500, 400), (10_000, 150)])
@pytest.mark.parametrize(("differ", "steady"), [(0.05, 0.0), (0.05, 0.7), (0.2, 0.3)])
def test_a_pair_without_a_difference_gets_a_word_at_most_5_times_in_100(
    seeds: int, images: int, times: int, differ: float, steady: float
) -> None:
    """An interval over the seeds alone says one in up to 48 of 100; over the images alone in 30."""
    assert sum(words(seeds, images, 0.0, differ=differ, steady=steady, times=times)) <= 0.05


@pytest.mark.parametrize(("seeds", "least"), [(3, 0.65), (5, 0.95)])
def test_a_true_point_is_seen(seeds: int, least: float) -> None:
    helped, hurt = words(seeds, 10_000, 0.01, differ=0.04, steady=0.3, times=300)
    assert helped >= least
    assert hurt == 0


@pytest.mark.parametrize("steady", [0.0, 0.5])
def test_all_looks_together_err_at_most_5_times_in_100(steady: float) -> None:
    random = np.random.default_rng(0)
    levels = confidences(RepeatsUntil().looks)
    times, erred = 300, 0
    for _ in range(times):
        first, second = draw(random, max(levels), 1000, 0.0, differ=0.05, steady=steady)
        for seeds, confidence in levels.items():
            low, high = of_accuracy_differences(first[:seeds], second[:seeds], confidence).interval
            if low > 0 or high < 0:
                erred += 1
                break
    assert erred / times <= 0.05
