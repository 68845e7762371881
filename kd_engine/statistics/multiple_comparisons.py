"""Many networks against their controls: which differences are more than the luck of the best of so many.

Each difference has a p-value of its own, from the same model as `intervals` (other seeds would have trained other
networks, other images would have judged them otherwise), and Holm's step-down method (Holm 1979) corrects for their
number: a true control and nothing to gain give a word about any of them in at most 5 of 100 sweeps, however many trials
there are. `tests/kd_engine/statistics/test_multiple_comparisons.py` counts it.

Few seeds say little about their spread: with three, a single difference had to be ten times its standard error to be
believed among 24. Networks of one sweep differ little in theirs, so it is pooled over them, as Dunnett (1955) does for
many treatments and one control; a network whose own seeds spread wider is taken by its own. The degrees of freedom of
what is pooled follow Satterthwaite (1946): the control's seeds are in every difference, and how many trials there are
says nothing more about them.

Shapes: M differences, R seeds (repeats), G differences that share a control.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import ndtri, stdtrit

from kd_engine.statistics.intervals import CONFIDENCE

_HALVINGS = 40  # of the confidence that is searched: finer than any p-value that is shown
_Array = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


@dataclass(frozen=True)
class PairedDifference:
    """Networks less their control, on the same images.

    Attributes:
        by_seed: seed by seed.
        error_of_images: standard error of their mean over the images, whatever the number of seeds.
        control: differences from the same networks have an equal one.
    """

    by_seed: Sequence[float]
    error_of_images: float
    control: Hashable = 0

    @property
    def mean(self) -> float:
        return math.fsum(self.by_seed) / len(self.by_seed)


@dataclass(frozen=True)
class Comparison:
    """What is to be believed of a difference.

    Attributes:
        p_value: of this difference alone, two-sided; 1 where a single seed cannot tell.
        corrected: after Holm's correction for all that were looked at.
        word: true of all comparisons together in 95 of 100 sweeps.
    """

    p_value: float
    corrected: float
    word: Literal["helped", "hurt", "no evidence"]


def compare(differences: Sequence[PairedDifference], *, failed: int = 0) -> list[Comparison]:
    """All differences as one family.

    Args:
        failed: networks that were looked at too and of which there is no difference; they count in the correction.

    Raises:
        ValueError: numbers of seeds differ.
    """
    if not differences:
        return []
    if len({len(difference.by_seed) for difference in differences}) > 1:
        raise ValueError("expected the same number of seeds for every network")
    p_values = _p_values(differences) if len(differences[0].by_seed) > 1 else [1.0] * len(differences)
    corrected = holm([*p_values, *[1.0] * failed])
    return [
        Comparison(p_value, after, _word(difference.mean, after))
        for difference, p_value, after in zip(differences, p_values, corrected, strict=False)
    ]


def _word(mean: float, corrected: float) -> Literal["helped", "hurt", "no evidence"]:
    if corrected > 1 - CONFIDENCE:
        return "no evidence"
    return "helped" if mean > 0 else "hurt"


def holm(p_values: Sequence[float]) -> list[float]:
    """Each p-value corrected for their number, in the order given (Holm 1979); never below a smaller one's."""
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    corrected, highest = [1.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = highest
    return corrected


def _p_values(differences: Sequence[PairedDifference]) -> list[float]:
    """Of each: one less the confidence at which its interval just reaches 0."""
    by_seed_MR = np.array([difference.by_seed for difference in differences], np.float64)
    images_M = np.array([difference.error_of_images for difference in differences])
    pooled, freedom = _pooled(by_seed_MR, [difference.control for difference in differences])
    seeds_M = np.sqrt(np.maximum(pooled, by_seed_MR.var(axis=1, ddof=1)) / by_seed_MR.shape[1])
    distance_M = np.abs(by_seed_MR.mean(axis=1))
    low_M, high_M = np.zeros_like(distance_M), np.ones_like(distance_M)
    for _ in range(_HALVINGS):
        confidence_M = (low_M + high_M) / 2
        tail_M = (1 + confidence_M) / 2
        reach_M = np.hypot(ndtri(tail_M) * images_M, stdtrit(freedom, tail_M) * seeds_M)
        low_M = np.where(reach_M < distance_M, confidence_M, low_M)
        high_M = np.where(reach_M < distance_M, high_M, confidence_M)
    return [float(1 - low) for low in low_M]


def _pooled(by_seed_MR: _Array, controls: Sequence[Hashable]) -> tuple[float, float]:
    """Variance of a difference over seeds, pooled over all, and its degrees of freedom.

    Two parts: what a network differs by from the others of its control, known well where there are many, and what they
    move by together, which is the control's and known from its seeds alone.
    """
    seeds = by_seed_MR.shape[1]
    squares, own, shared, sizes = 0.0, 0, [], []
    for control in dict.fromkeys(controls):
        group_GR = by_seed_MR[[place for place, other in enumerate(controls) if other == control]]
        moved_R = group_GR.mean(axis=0)
        rest_GR = group_GR - moved_R - group_GR.mean(axis=1, keepdims=True) + group_GR.mean()
        squares += float((rest_GR**2).sum())
        own += (len(group_GR) - 1) * (seeds - 1)
        shared.append(float(moved_R.var(ddof=1)))
        sizes.append(len(group_GR))
    within = squares / own if own else 0.0
    parts = [
        (within * (1 - float(np.mean([1 / size for size in sizes]))), own),
        (float(np.mean(shared)), len(shared) * (seeds - 1)),
    ]
    total = sum(part for part, _ in parts)
    if total == 0:
        return 0.0, float(seeds - 1)
    return total, total**2 / sum(part**2 / freedom for part, freedom in parts if freedom)
