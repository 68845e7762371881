"""Images with equal pixels: found once, so that they stay on one side of a split, and counted.

Shapes: N images of all parts, one after the other; C channels, H and W pixels.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from kd_engine.platform.heartbeat import sign
from kd_engine.schema.report import Duplicates

_LOOKED_AT = 256  # bytes of each image, to begin with
_AT_A_TIME = 4096  # images


def groups_of(parts: Sequence[Tensor]) -> NDArray[np.int64]:
    """int64 `[N]`: the same number for images with equal pixels, and for no others.

    Args:
        parts: uint8 `[N, C, H, W]` each, all of one size.
    """
    first = [key for part in parts for key in _short_keys(part)]
    shared = {key for key, times in Counter(first).items() if times > 1}
    whole: list[object] = []
    for part in parts:
        begins = len(whole)
        for number, key in enumerate(first[begins : begins + len(part)]):
            whole.append(_digest(part[number]) if key in shared else key)
    numbers: dict[object, int] = {}
    return np.array([numbers.setdefault(key, len(numbers)) for key in whole], np.int64)


def count(groups: Mapping[str, NDArray[np.int64]]) -> Duplicates:
    """Of the groups of each split's images."""
    train = set(groups["train"].tolist())
    held = groups.get("validation", np.empty(0, np.int64)).tolist()
    return Duplicates(
        train=len(groups["train"]) - len(train),
        validation_in_train=sum(group in train for group in held),
        test_in_train=sum(group in train | set(held) for group in groups["test"].tolist()),
    )


def _short_keys(images_NCHW: Tensor) -> list[int]:
    """Of some bytes of each image, the same where images are equal."""
    keys: list[int] = []
    for start in range(0, len(images_NCHW), _AT_A_TIME):
        sign("comparing images")
        flat = images_NCHW[start : start + _AT_A_TIME].flatten(1)
        some = np.ascontiguousarray(flat[:, :: max(1, flat.shape[1] // _LOOKED_AT)].numpy())
        keys += [hash(row.tobytes()) for row in some]
    return keys


def _digest(image_CHW: Tensor) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(image_CHW.numpy()).data).digest()
