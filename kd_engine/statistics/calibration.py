"""Expected calibration error. Shapes: N images of a split, M bins of confidence."""

from __future__ import annotations

import torch
from torch import Tensor

BINS = 15  # as in Guo et al. 2017


def bin_of(confidence_N: Tensor) -> Tensor:
    """The bin of each confidence, 0 to 14: bin m holds those above m / 15, up to and including (m + 1) / 15."""
    return (confidence_N.double() * BINS).ceil().long().sub(1).clamp(0, BINS - 1)


def calibration_error(confidence_N: Tensor, correct_N: Tensor) -> float:
    """Expected calibration error, 0 to 1: |accuracy - mean confidence| of each bin, weighted by its share of images.

    Guo et al. 2017, On Calibration of Modern Neural Networks, equation 3 (arXiv:1706.04599), 15 bins of equal width.
    """
    gap_N = correct_N.double() - confidence_N.double()
    gap_M = torch.bincount(bin_of(confidence_N), weights=gap_N, minlength=BINS)
    return float(gap_M.abs().sum()) / len(gap_N)
