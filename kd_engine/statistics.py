"""Intervals, all of 95 %: on an accuracy, on a mean over seeds, and on a difference of two networks.

Shapes: N images of a split, on the CPU.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, stdev

import numpy as np
from scipy.special import stdtrit
from torch import Tensor

from kd_engine.evaluation.measures import BINS, bin_of

_Z = 1.959963984540054  # 97.5 % point of the normal distribution
_RESAMPLES = 1000  # a standard error of resampling is then known to about 2 %
_BOOTSTRAP_SEED = 1_993  # arbitrary; fixed, so that the same networks get the same report


@dataclass(frozen=True)
class Estimate:
    """A value with a 95 % interval.

    Attributes:
        spread: standard deviation over seeds; None with a single seed.
        kind: how the interval was made: `seeds` (Student's t over seeds) or `images` (over the test images).
    """

    mean: float
    spread: float | None
    interval: tuple[float, float]
    kind: str

    def to_json(self) -> dict[str, object]:
        return {"mean": self.mean, "spread": self.spread, "interval": list(self.interval), "kind": self.kind}


def over_seeds(values: list[float]) -> Estimate:
    """The mean of at least two values, with Student's t interval."""
    mean, spread = fmean(values), stdev(values)
    return Estimate(mean, spread, _t_interval(mean, spread, len(values)), "seeds")


def of_accuracy(correct: int, images: int) -> Estimate:
    """An accuracy with Wilson's score interval (Wilson 1927, equation for p1 and p2)."""
    share, z2 = correct / images, _Z * _Z
    centre = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = _Z / (1 + z2 / images) * math.sqrt(share * (1 - share) / images + z2 / (4 * images * images))
    return Estimate(share, None, (centre - half, centre + half), "images")


def of_paired_difference(only_first: int, only_second: int, images: int) -> Estimate:
    """Accuracy of the first network less that of the second on the same test images.

    Args:
        only_first, only_second: images that only this network named right.

    The interval is Agresti and Min's (Statistics in Medicine 24, 2005): Wald's for matched pairs after adding 1/2 to
    each of the four cells, which keeps its promise also when the networks rarely differ.
    """
    b, c, n = only_first + 0.5, only_second + 0.5, images + 2.0
    centre = (b - c) / n
    half = _Z * math.sqrt((b + c) - (b - c) ** 2 / n) / n
    return Estimate((only_first - only_second) / images, None, (centre - half, centre + half), "images")


def of_paired_means(first_N: Tensor, second_N: Tensor) -> Estimate:
    """Mean of the first less mean of the second, both over the same images, with Student's interval for pairs."""
    differences_N = first_N.double() - second_N.double()
    mean, spread = float(differences_N.mean()), float(differences_N.std())
    return Estimate(mean, None, _t_interval(mean, spread, len(differences_N)), "images")


def of_paired_calibration(first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor]) -> Estimate:
    """Calibration error of the first network less that of the second on the same images.

    Args:
        first, second: confidence and correctness, `[N]`, as for `measures.calibration_error`.

    The interval is the estimate and 1.96 bootstrap standard errors on either side (Efron and Tibshirani 1993, chapter
    13), both networks drawn with the same images. It is about the error as measured with so many images: that of a
    well calibrated network is above 0 by chance alone, and no resampling takes this off. Bootstrap percentiles,
    plain or reversed, held what they should in as few as 40 and 75 of 100 simulations of such a network.
    """
    gaps = [_gaps(*network) for network in (first, second)]
    images = len(first[0])
    mean = _error(gaps[0], None) - _error(gaps[1], None)
    random = np.random.RandomState(_BOOTSTRAP_SEED)  # numpy promises that its stream never changes between versions
    draws = []
    for _ in range(_RESAMPLES):
        drawn_N = random.randint(0, images, images)
        draws.append(_error(gaps[0], drawn_N) - _error(gaps[1], drawn_N))
    half = _Z * float(np.std(draws, ddof=1))
    return Estimate(mean, None, (mean - half, mean + half), "images")


_Gaps = tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", "np.ndarray[tuple[int], np.dtype[np.float64]]"]


def _gaps(confidence_N: Tensor, correct_N: Tensor) -> _Gaps:
    """Each image's bin, and what it adds to its bin's gap between accuracy and confidence."""
    return bin_of(confidence_N).numpy(), (correct_N.double() - confidence_N.double()).numpy()


def _error(gaps: _Gaps, drawn_N: np.ndarray[tuple[int], np.dtype[np.int64]] | None) -> float:
    bins_N, gap_N = gaps if drawn_N is None else (gaps[0][drawn_N], gaps[1][drawn_N])
    return float(np.abs(np.bincount(bins_N, weights=gap_N, minlength=BINS)).sum()) / len(gap_N)


def _t_interval(mean: float, spread: float, count: int) -> tuple[float, float]:
    half = float(stdtrit(count - 1, 0.975)) * spread / math.sqrt(count)
    return mean - half, mean + half
