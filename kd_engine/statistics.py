"""Intervals, all of 95 %: on an accuracy, on a mean over seeds, and on a difference of two networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import fmean, stdev

from scipy.special import stdtrit

_Z = 1.959963984540054  # 97.5 % point of the normal distribution


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
    half = float(stdtrit(len(values) - 1, 0.975)) * spread / math.sqrt(len(values))
    return Estimate(mean, spread, (mean - half, mean + half), "seeds")


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
