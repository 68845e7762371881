"""Intervals: on an accuracy, on a mean over seeds, and on a difference of two networks; of 95 % unless said otherwise.

A measured difference varies for two reasons: another seed would have trained other networks, and other test images
would have judged them otherwise. An interval over several seeds holds both: each source gives a half-width of its own,
Student's t over the seeds' means and the normal one over the images' means, and the interval's is the root of the sum
of their squares. That is a little too wide where the images' share also shows in the spread of the seeds, never too
narrow: `tests/kd_engine/statistics/test_verdict_simulation.py` counts it. With one seed the interval knows of the
images alone.

Shapes: R seeds (repeats), N images of a split, on the CPU.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev

import numpy as np
import torch
from torch import Tensor

from kd_engine.schema import metrics as documents
from kd_engine.statistics.calibration import BINS, bin_of

CONFIDENCE = 0.95
_Z = 1.959963984540054  # 97.5 % point of the normal distribution
_RESAMPLES = 1000  # a standard error of resampling is then known to about 2 %
_BOOTSTRAP_SEED = 1_993  # arbitrary; fixed, so that the same networks get the same report
ONE_SEED, SEVERAL_SEEDS = "images", "seeds and images"


@dataclass(frozen=True)
class Estimate:
    """A value with an interval.

    Attributes:
        spread: standard deviation over seeds; None with a single seed.
        interval: infinite where nothing can be said, as of the mean of a single image.
        kind: what the interval knows of: `images`, or `seeds and images`.
    """

    mean: float
    spread: float | None
    interval: tuple[float, float]
    kind: str

    def documented(self) -> documents.Estimate:
        """As a document has it, in which there is no infinity: `interval` is then null."""
        interval = self.interval if all(map(math.isfinite, self.interval)) else None
        return documents.Estimate(mean=self.mean, spread=self.spread, interval=interval, kind=self.kind)


def of_accuracies(correct_RN: Tensor, confidence: float = CONFIDENCE) -> Estimate:
    """The mean accuracy of networks that differ in their seed, on the same images; Wilson's interval for one network.

    Of several, the images' part counts four images more, two of them right, as Agresti and Coull (1998) do.
    """
    if len(correct_RN) == 1:
        return of_accuracy(int(correct_RN.sum()), correct_RN.shape[1])
    return _over_seeds_and_images(correct_RN.double(), confidence, images=4, squares=1.0, bounds=(0.0, 1.0))


def of_accuracy_differences(first_RN: Tensor, second_RN: Tensor, confidence: float = CONFIDENCE) -> Estimate:
    """Mean accuracy of the first networks less that of the second, seed by seed, on the same images.

    Args:
        first_RN, second_RN: whether each network named each image right.

    Of several seeds, the images' part counts the two images more that `of_paired_difference` adds, half an image to
    each of the four cells: networks that never differ on a few images are no proof that they never will.
    """
    if len(first_RN) == 1:
        only_first, only_second = int((first_RN & ~second_RN).sum()), int((second_RN & ~first_RN).sum())
        return of_paired_difference(only_first, only_second, first_RN.shape[1])
    return _over_seeds_and_images(
        first_RN.double() - second_RN.double(), confidence, images=2, squares=1.0, bounds=(-1.0, 1.0)
    )


def of_means(
    values_RN: Tensor, confidence: float = CONFIDENCE, bounds: tuple[float, float] = (-math.inf, math.inf)
) -> Estimate:
    """The mean of the numbers that each image has, over seeds and images; within `bounds`."""
    if len(values_RN) == 1:
        found = of_paired_means(values_RN[0], torch.zeros_like(values_RN[0]))
        low, high = found.interval
        return replace(found, interval=(max(low, bounds[0]), min(high, bounds[1])))
    return _over_seeds_and_images(values_RN.double(), confidence, bounds=bounds)


def of_mean_differences(first_RN: Tensor, second_RN: Tensor, confidence: float = CONFIDENCE) -> Estimate:
    """Mean of the first less mean of the second, seed by seed, over the same images."""
    if len(first_RN) == 1:
        return of_paired_means(first_RN[0], second_RN[0])
    return _over_seeds_and_images(first_RN.double() - second_RN.double(), confidence)


def of_calibration_differences(
    first: tuple[Tensor, Tensor], second: tuple[Tensor, Tensor], confidence: float = CONFIDENCE
) -> Estimate:
    """Calibration error of the first networks less that of the second, seed by seed, on the same images.

    Args:
        first, second: confidence and correctness, `[R, N]`, as for `calibration_error`.

    The images' part is 1.96 bootstrap standard errors (Efron and Tibshirani 1993, chapter 13), all networks drawn with
    the same images. The interval is about the error as measured with so many images: that of a well calibrated network
    is above 0 by chance alone, and no resampling takes this off. Bootstrap percentiles, plain or reversed, held what
    they should in as few as 40 and 75 of 100 simulations of such a network.
    """
    gaps = [[_gaps(*network) for network in zip(*networks, strict=True)] for networks in (first, second)]
    images = first[0].shape[1]
    means_R = [_error(one, None) - _error(other, None) for one, other in zip(*gaps, strict=True)]
    random = np.random.RandomState(_BOOTSTRAP_SEED)  # numpy promises that its stream never changes between versions
    draws = []
    for _ in range(_RESAMPLES):
        drawn_N = random.randint(0, images, images)
        draws.append(fmean(_error(one, drawn_N) - _error(other, drawn_N) for one, other in zip(*gaps, strict=True)))
    return _combined(means_R, float(np.std(draws, ddof=1)), confidence)


def of_accuracy(correct: int, images: int) -> Estimate:
    """An accuracy with Wilson's score interval (Wilson 1927, equation for p1 and p2)."""
    share, z2 = correct / images, _Z * _Z
    centre = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = _Z / (1 + z2 / images) * math.sqrt(share * (1 - share) / images + z2 / (4 * images * images))
    return Estimate(share, None, (centre - half, centre + half), ONE_SEED)


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
    interval = max(centre - half, -1.0), min(centre + half, 1.0)
    return Estimate((only_first - only_second) / images, None, interval, ONE_SEED)


def of_paired_means(first_N: Tensor, second_N: Tensor) -> Estimate:
    """Mean of the first less mean of the second, both over the same images, with Student's interval for pairs."""
    from scipy.special import stdtrit  # imports slowly, and only a run's end needs it

    differences_N = first_N.double() - second_N.double()
    mean, images = float(differences_N.mean()), len(differences_N)
    half = float(stdtrit(images - 1, 0.975) * differences_N.std()) / math.sqrt(images) if images > 1 else math.inf
    return Estimate(mean, None, (mean - half, mean + half), ONE_SEED)


def _over_seeds_and_images(
    values_RN: Tensor,
    confidence: float,
    *,
    images: int = 0,
    squares: float = 0.0,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    """The mean over seeds and images; the images' variance as if there were so many `images` more, with these squares
    around the mean.
    """
    error = error_of_images(values_RN, images=images, squares=squares)
    if math.isinf(error):
        bounds = (-math.inf, math.inf)
    return _combined(values_RN.mean(dim=1).tolist(), error, confidence, bounds)


def error_of_images(values_RN: Tensor, *, images: int = 0, squares: float = 0.0) -> float:
    """Standard error over images of the mean over seeds and images, as if there were so many `images` more, with these
    squares around the mean; infinite where one image says nothing of others.
    """
    mean_N = values_RN.mean(dim=0)
    count = len(mean_N) + images
    if count < 2:
        return math.inf
    variance = (float(((mean_N - mean_N.mean()) ** 2).sum()) + squares) / (count - 1)
    return math.sqrt(variance / count)


def _combined(
    means_R: Sequence[float],
    error_of_images: float,
    confidence: float,
    bounds: tuple[float, float] = (-math.inf, math.inf),
) -> Estimate:
    from scipy.special import ndtri, stdtrit

    seeds, mean, tail = len(means_R), fmean(means_R), (1 + confidence) / 2
    half = float(ndtri(tail)) * error_of_images
    if seeds == 1:
        return Estimate(mean, None, (mean - half, mean + half), ONE_SEED)
    spread = stdev(means_R)
    half = math.hypot(half, float(stdtrit(seeds - 1, tail)) * spread / math.sqrt(seeds))
    low, high = bounds
    return Estimate(mean, spread, (max(low, mean - half), min(high, mean + half)), SEVERAL_SEEDS)


_Gaps = tuple["np.ndarray[tuple[int], np.dtype[np.int64]]", "np.ndarray[tuple[int], np.dtype[np.float64]]"]


def _gaps(confidence_N: Tensor, correct_N: Tensor) -> _Gaps:
    """Each image's bin, and what it adds to its bin's gap between accuracy and confidence."""
    return bin_of(confidence_N).numpy(), (correct_N.double() - confidence_N.double()).numpy()


def _error(gaps: _Gaps, drawn_N: np.ndarray[tuple[int], np.dtype[np.int64]] | None) -> float:
    bins_N, gap_N = gaps if drawn_N is None else (gaps[0][drawn_N], gaps[1][drawn_N])
    return float(np.abs(np.bincount(bins_N, weights=gap_N, minlength=BINS)).sum()) / len(gap_N)
