"""The logits of a network that stays with its owner: an array in the order of a data set's samples.

Shapes: N images, K classes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kd_engine.data.dataset import RawData
from kd_engine.errors import DataError
from kd_engine.intake.arrays import load_arrays
from kd_engine.models.foreign import LogitsParams, RecordedLogits, keys_of


def recorded_logits(path: Path, raw: RawData, num_classes: int) -> RecordedLogits:
    """The arrays `train` and `test` (N x K each) of an .npz file, as a network that knows these images.

    Args:
        raw: the data set as it was read, in its publisher's order, or in that of `samples.csv`.

    Raises:
        DataError: an array is missing, is not of numbers, or does not fit the data set.
    """
    arrays = load_arrays(path)
    images = {name: found for name, found, _ in raw.parts()}
    missing = [name for name in images if name not in arrays]
    if missing:
        raise DataError(
            f"the file holds {', '.join(sorted(arrays)) or 'nothing'}; expected the arrays {' and '.join(images)}, the "
            "logits of all images of each split in their order."
        )
    parts = [_checked(arrays[name], name, len(images[name]), num_classes) for name in images]
    network = RecordedLogits(LogitsParams(images=sum(map(len, parts)), classes=num_classes))
    keys = [key for name in images for key in keys_of(images[name])]
    network.keys_N2.copy_(torch.tensor(keys, dtype=torch.int64))
    network.logits_NK.copy_(torch.from_numpy(np.concatenate(parts)))
    return network


def _checked(array: NDArray[Any], name: str, images: int, num_classes: int) -> NDArray[np.float32]:
    if array.dtype.kind != "f" or array.shape != (images, num_classes):
        raise DataError(
            f"'{name}' is {array.dtype} of shape {array.shape}; expected floating-point numbers of shape "
            f"{(images, num_classes)}: a row for each {name} image, a column for each class."
        )
    if not np.isfinite(array).all():
        raise DataError(f"'{name}' holds numbers that are not finite.")
    return array.astype(np.float32)
