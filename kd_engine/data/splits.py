"""Which images are held out: fixed once and for all, and the same share of every class. No torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

VALIDATION_SEED = 20_150_309  # arbitrary; a change would change every validation split and so every cached teacher
DIGITS_TEST_SEED = 1_797  # arbitrary; a change would change the digits' test split


def held_out(labels_N: NDArray[np.integer[Any]], count: int, seed: int) -> NDArray[np.bool_]:
    """A mask over N images that holds out exactly `count` of them, stratified by class.

    Each class gives its share of `count`, rounded so that the total is exact. The draw does not depend on a job's
    seed, so one teacher can serve all repeats; a larger `count` holds out at least what a smaller one does, class by
    class, whenever the class's share is not smaller.

    Raises:
        ValueError: `count` is not between 0 and N.
    """
    if not 0 <= count <= len(labels_N):
        raise ValueError(f"cannot hold out {count} of {len(labels_N)} images")
    # RandomState, not Generator: numpy promises that its stream never changes between versions
    random = np.random.RandomState(seed)
    mask = np.zeros(len(labels_N), dtype=bool)
    for label, share in enumerate(_shares(np.bincount(labels_N), count)):
        members = random.permutation(np.flatnonzero(labels_N == label))
        mask[members[:share]] = True
    return mask


def _shares(sizes_K: NDArray[np.intp], count: int) -> list[int]:
    """Largest remainders: the whole part of each class's share, and one more for those that lost the most."""
    total = int(sizes_K.sum())
    exact = [(int(size) * count // total, int(size) * count % total) for size in sizes_K]
    shares = [whole for whole, _ in exact]
    by_loss = sorted(range(len(exact)), key=lambda label: -exact[label][1])
    for label in by_loss[: count - sum(shares)]:
        shares[label] += 1
    return shares
