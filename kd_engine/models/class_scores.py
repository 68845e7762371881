"""From what a network says of each class to logits. Shapes: B images, K classes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_logits(answers_BK: NDArray[Any], kind: str, floor: float) -> NDArray[np.float32]:
    """Logits of logits, of probabilities, or of sigmoids, which are probabilities of each class by itself.

    Args:
        floor: what a probability of 0 is taken for; its logarithm would be infinite.
    """
    numbers_BK = answers_BK.astype(np.float64)
    if kind == "logits":
        # the logarithm of a probability that was rounded to 0
        least_B1 = numbers_BK.max(axis=1, keepdims=True) + np.log(floor)
        return np.where(np.isneginf(numbers_BK), least_B1, numbers_BK).astype(np.float32)
    logs_BK = np.log(np.maximum(numbers_BK, floor))
    if kind == "sigmoids":
        logs_BK -= np.log(np.maximum(1 - numbers_BK, floor))
    return logs_BK.astype(np.float32)
