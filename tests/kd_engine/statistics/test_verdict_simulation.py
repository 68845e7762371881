"""The promise of a verdict, counted: simulated pairs of networks whose true difference is known.

`python -m benchmarks verdicts` counts more of them, and real jobs: docs/results.md has the table.
"""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.verdicts import draw, words
from kd_engine.jobspec.repeats import RepeatsUntil
from kd_engine.statistics.interim_looks import confidences
from kd_engine.statistics.intervals import of_accuracy_differences


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
