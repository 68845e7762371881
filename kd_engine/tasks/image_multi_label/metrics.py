"""Metrics that are no means over images, each with what it would be without each of the images.

Of the latter a column an image is made (`column`), whose mean is the metric and whose spread is that of the metric: the
jackknife (Efron and Stein 1981, "The Jackknife Estimate of Variance"), by which intervals are paired as those of means.

Shapes: N images, K classes, G groups of images with equal scores, M bins of probability.
"""

from __future__ import annotations

import torch
from torch import Tensor

from kd_engine.statistics.calibration import BINS, bin_of


def column(value: float, without_N: Tensor) -> Tensor:
    """float64 `[N]`: its mean is `value`, and it varies over images as the metric does over test splits."""
    return value + (len(without_N) - 1) * (without_N.mean() - without_N)


def average_precision(scores_N: Tensor, targets_N: Tensor) -> tuple[float, Tensor]:
    """The area under the precision-recall curve as a sum of steps, and the same without each image, float64 `[N]`.

    As scikit-learn has it: at each score that occurs, the precision among all images of at least that score, times the
    share of the positives that have it. There is at least one positive; without the only one the value stays.
    """
    order_N = scores_N.argsort(descending=True)
    sorted_N = scores_N[order_N]
    ends_G = torch.cat([sorted_N[1:] != sorted_N[:-1], torch.ones(1, dtype=torch.bool)]).nonzero()[:, 0]
    seen_G = (ends_G + 1).double()
    hits_G = targets_N[order_N].double().cumsum(0)[ends_G]
    own_G = hits_G.diff(prepend=torch.zeros(1, dtype=torch.float64))  # positives with this score
    positives = float(hits_G[-1])
    before_G = _exclusive(own_G * hits_G / seen_G)
    fewer_G = (seen_G - 1).clamp(min=1)
    # the scores after an image that is left out have one image less above them, and one hit less if it was positive
    negative_G = before_G + own_G * hits_G / fewer_G + _after(own_G * hits_G / fewer_G)
    positive_G = before_G + (own_G - 1) * (hits_G - 1) / fewer_G + _after(own_G * (hits_G - 1) / fewer_G)
    value = float((own_G * hits_G / seen_G).sum()) / positives
    group_N = torch.empty_like(order_N)
    group_N[order_N] = torch.searchsorted(ends_G, torch.arange(len(order_N)))
    without_positive_N = (
        positive_G[group_N] / (positives - 1) if positives > 1 else torch.full_like(negative_G, value)[group_N]
    )
    return value, torch.where(targets_N.bool(), without_positive_N, negative_G[group_N] / positives)


def mean_average_precision(scores_NK: Tensor, targets_NK: Tensor) -> tuple[float, Tensor, list[float | None]]:
    """The mean over classes that have an image in the split (0 where none has); without each image; of each class."""
    by_class: list[float | None] = []
    without_N = torch.zeros(len(scores_NK), dtype=torch.float64)
    for scores_N, targets_N in zip(scores_NK.T, targets_NK.T, strict=True):
        if not bool(targets_N.any()):
            by_class.append(None)
            continue
        value, each_N = average_precision(scores_N, targets_N)
        by_class.append(value)
        without_N += each_N
    found = [value for value in by_class if value is not None]
    count = max(len(found), 1)
    return sum(found) / count, without_N / count, by_class


def f1(predicted_NK: Tensor, targets_NK: Tensor) -> tuple[tuple[float, Tensor], tuple[float, Tensor], Tensor]:
    """Macro and micro F1, each with what it would be without each image; and F1 by class, float64 `[K]`.

    Macro is the mean over classes that have an image in the split, 0 for one that is never predicted; micro counts all
    yeses of all classes together.
    """
    predicted_NK, targets_NK = predicted_NK.double(), targets_NK.double()
    twice_NK, marked_NK = 2 * predicted_NK * targets_NK, predicted_NK + targets_NK
    twice_K, marked_K, there_K = twice_NK.sum(0), marked_NK.sum(0), targets_NK.sum(0) > 0
    by_class_K = _ratio(twice_K, marked_K)
    count = max(int(there_K.sum()), 1)
    without_N = _ratio(twice_K - twice_NK, marked_K - marked_NK)[:, there_K].sum(1) / count
    macro = float(by_class_K[there_K].sum()) / count
    twice, marked = twice_K.sum(), marked_K.sum()
    micro_without_N = _ratio(twice - twice_NK.sum(1), marked - marked_NK.sum(1))
    return (macro, without_N), (float(_ratio(twice, marked)), micro_without_N), by_class_K


def calibration(chances_NK: Tensor, targets_NK: Tensor) -> tuple[float, Tensor, Tensor]:
    """Expected calibration error of each class by itself: the mean over classes, without each image, and by class.

    Of a class: |share of yeses - mean probability| in each of 15 bins of probability, weighted by its share of images.
    """
    images = len(chances_NK)
    gap_NK = targets_NK.double() - chances_NK.double()
    bins_NK = bin_of(chances_NK)
    gap_MK = torch.zeros(BINS, gap_NK.shape[1], dtype=torch.float64).scatter_add_(0, bins_NK, gap_NK)
    total_K = gap_MK.abs().sum(0)
    own_NK = gap_MK.gather(0, bins_NK)
    without_NK = (total_K - own_NK.abs() + (own_NK - gap_NK).abs()) / max(images - 1, 1)
    by_class_K = total_K / images
    return float(by_class_K.mean()), without_NK.mean(1), by_class_K


def _ratio(part: Tensor, whole: Tensor) -> Tensor:
    return part / whole.clamp(min=1)


def _exclusive(values_G: Tensor) -> Tensor:
    return values_G.cumsum(0) - values_G


def _after(values_G: Tensor) -> Tensor:
    return values_G.sum() - values_G.cumsum(0)
