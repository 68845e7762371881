"""When a job that repeats until its answer is sharp has repeated enough.

Whoever looks again after every few seeds, and stops at the first word, is wrong more often than the interval says. So
each look spends a share of the 5 %, as much as the function of Lan and DeMets (Biometrika 70, 1983) that follows
O'Brien and Fleming allows: next to nothing early on, most of it at the last look. Each look uses only what it newly
spends, as if it were alone, which bounds the error of all looks together (Bonferroni) whatever their distribution.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from kd_engine.statistics.intervals import CONFIDENCE

_ERROR = 1 - CONFIDENCE


def confidences(looks: Sequence[int]) -> dict[int, float]:
    """The confidence of each look's verdict, by its number of seeds; the last look is the end."""
    spent, found = 0.0, {}
    for seeds in looks:
        so_far = _spent(seeds / looks[-1])
        found[seeds] = 1 - (so_far - spent)
        spent = so_far
    return found


def _spent(share: float) -> float:
    """The error spent when this share of all seeds is there: the O'Brien-Fleming-like function of Lan and DeMets."""
    from scipy.special import ndtr, ndtri  # imports slowly, and few runs look before their end

    return float(2 * (1 - ndtr(ndtri(1 - _ERROR / 2) / sqrt(share))))
