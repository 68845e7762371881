"""Which images are held out: fixed once and for all, and the same share of every class. No torch."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

VALIDATION_SEED = 20_150_309  # arbitrary; a change would change every validation split and so every cached teacher
DIGITS_TEST_SEED = 1_797  # arbitrary; a change would change the digits' test split


def held_out(
    labels_N: NDArray[np.integer[Any]], count: int, seed: int, twins_N: NDArray[np.integer[Any]] | None = None
) -> NDArray[np.bool_]:
    """A mask over N images that holds out `count` of them, stratified by class.

    Each class gives its share of `count`, rounded so that the total is exact, and keeps one image: there are fewer
    where that leaves too few. The draw does not depend on a job's seed, so one teacher can serve all repeats; a larger
    `count` holds out at least what a smaller one does, class by class, whenever the class's share is not smaller.

    Args:
        twins_N: for each image the number of its group of equal images; a group is held out whole or not at all. Where
            none has a second image the draw is the one without; otherwise there may be some fewer.

    Raises:
        ValueError: `count` is not between 0 and N.
    """
    if not 0 <= count <= len(labels_N):
        raise ValueError(f"cannot hold out {count} of {len(labels_N)} images")
    # RandomState, not Generator: numpy promises that its stream never changes between versions
    random = np.random.RandomState(seed)
    sizes_K = np.bincount(labels_N)
    drawn = [
        (random.permutation(np.flatnonzero(labels_N == label)), share)
        for label, share in enumerate(_shares(sizes_K, count))
    ]
    if twins_N is not None and len(np.unique(twins_N)) < len(twins_N):
        return _whole_groups(labels_N, drawn, twins_N, count)
    mask = np.zeros(len(labels_N), dtype=bool)
    for members, share in drawn:
        mask[members[:share]] = True
    return mask


def strata(labels: NDArray[np.integer[Any]]) -> NDArray[np.integer[Any]]:
    """What `held_out` stratifies by: the class of each image, `[N]`; of several classes an image, `[N, K]` of 0 and 1,
    its rarest one, and K where it has none.
    """
    if labels.ndim == 1:
        return labels
    rarest_K = labels.sum(axis=0, dtype=np.int64).argsort(kind="stable")
    has_NK = np.concatenate([labels[:, rarest_K] > 0, np.ones((len(labels), 1), bool)], axis=1)
    strata_N: NDArray[np.integer[Any]] = np.append(rarest_K, labels.shape[1])[has_NK.argmax(axis=1)]
    return strata_N


def _shares(sizes_K: NDArray[np.intp], count: int) -> list[int]:
    """Largest remainders: the whole part of each class's share, and one more for those that lost the most."""
    total = int(sizes_K.sum())
    exact = [(int(size) * count // total, int(size) * count % total) for size in sizes_K]
    most = [max(0, int(size) - 1) for size in sizes_K]
    shares = [min(whole, limit) for (whole, _), limit in zip(exact, most, strict=True)]
    by_loss = sorted(range(len(exact)), key=lambda label: -exact[label][1])
    while (left := count - sum(shares)) > 0:
        open_ = [label for label in by_loss if shares[label] < most[label]]
        if not open_:
            break
        for label in open_[:left]:
            shares[label] += 1
    return shares


def _whole_groups(
    labels_N: NDArray[np.integer[Any]],
    drawn: list[tuple[NDArray[np.intp], int]],
    twins_N: NDArray[np.integer[Any]],
    count: int,
) -> NDArray[np.bool_]:
    """As drawn, but that with an image all its twins come, or none where that would be too many."""
    groups: dict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(twins_N.tolist()):
        groups[group].append(place)
    sizes = np.bincount(labels_N).tolist()
    held = [0] * len(sizes)
    mask = np.zeros(len(labels_N), dtype=bool)

    def take(place: int, most: dict[int, int]) -> None:
        members = groups[int(twins_N[place])]
        labels, times = np.unique(labels_N[members], return_counts=True)
        added = dict(zip(labels.tolist(), times.tolist(), strict=True))
        if all(held[label] + more <= min(most.get(label, sizes[label]), sizes[label] - 1)
               for label, more in added.items()):  # fmt: skip
            mask[members] = True
            for label, more in added.items():
                held[label] += more

    shares = {label: share for label, (_, share) in enumerate(drawn)}
    for label, (members, share) in enumerate(drawn):
        for place in members.tolist():
            if held[label] >= share:
                break
            if not mask[place]:
                take(place, shares)
    if count and not mask.any():  # every group is larger than its class's share
        for place in sorted(range(len(labels_N)), key=lambda place: len(groups[int(twins_N[place])])):
            if not mask.any():
                take(place, {})
    return mask
