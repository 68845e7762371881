"""What the numbers are that a network gives for each class: logits, probabilities, or something between. No torch.

Shapes: B images, K classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from kd_engine.schema.errors import DataError

Kind = Literal["logits", "probabilities", "sigmoids"]
_SOFTMAX = ("Softmax", "QLinearSoftmax")
_SIGMOID = ("Sigmoid", "HardSigmoid", "QLinearSigmoid")
_ALIKE = 1e-3  # of sums that are 1 but for rounding
_ROUNDED = 0.02  # of those of a softmax in eight bits, with ten classes
_SMALLEST, _SMALLEST_OF_HALF = 1e-12, 2.0**-25  # what a probability of 0 stands for


@dataclass(frozen=True)
class Answers:
    """
    Attributes:
        kind: `sigmoids` are probabilities of each class by itself.
        floor: what a probability of 0 is taken for: half of what could just be told from it.
        notes: what their sender should know.
    """

    kind: Kind
    floor: float = _SMALLEST
    notes: tuple[str, ...] = ()


def recognised(
    output_BK: NDArray[Any],
    *,
    last: str = "",
    step: float = 0.0,
    called: str = "",
    single: bool = False,
    several: bool = False,
) -> Answers:
    """What the numbers are, told from themselves and from the operation that made them.

    Args:
        last: the last operation of a graph, as ONNX calls it.
        step: between numbers of eight bits; 0 where they are not of eight bits.
        called: the output's name.
        single: there is one column, for two classes.
        several: an image may have several classes.

    Raises:
        DataError: a softmax whose rows do not sum to 1.
    """
    numbers_BK = np.asarray(output_BK, np.float64)
    numbers_BK = numbers_BK[np.isfinite(numbers_BK).all(axis=1)]
    if not len(numbers_BK):
        return Answers("logits")
    least, most, sums_B = numbers_BK.min(), numbers_BK.max(), numbers_BK.sum(axis=1)
    between = bool(least >= 0 and most <= 1 + _ALIKE)
    floor = _floor(numbers_BK, step)
    if single:
        return Answers("sigmoids" if between or last in _SIGMOID else "logits", floor)
    if several:
        return _of_several(floor, last, between)
    if last in _SOFTMAX:
        room = _ROUNDED + step * numbers_BK.shape[1] / 2
        if least < 0 or abs(sums_B - 1).max() > room:
            raise DataError(
                f"the model's last operation is a softmax, and the numbers of an image sum to {sums_B.min():.4g} to "
                f"{sums_B.max():.4g}; expected 1. Is it taken over another axis than the classes? Export the logits "
                "instead."
            )
        return Answers("probabilities", floor)
    if least >= 0 and sums_B.mean() > 0 and np.ptp(sums_B) <= _ALIKE * sums_B.mean():
        if abs(sums_B.mean() - 1) <= _ALIKE:
            return Answers("probabilities", floor)
        note = f"the numbers of each image sum to {sums_B.mean():.4g}: they are taken for shares of that."
        return Answers("probabilities", floor, (note,))
    if last in _SIGMOID or between:
        note = (
            "the numbers lie between 0 and 1 and do not sum to 1: each is taken for the probability of its class by "
            "itself (a sigmoid), p, and its logit is log(p / (1 - p)). A network that was trained with softmax and "
            "cross-entropy tells more of how classes resemble each other."
        )
        return Answers("sigmoids", floor, (note,))
    if "prob" in called.lower():
        note = (
            f"the output is called '{called}', but its numbers run from {least:.4g} to {most:.4g}: they are decision "
            "scores, and are taken for logits. Their scale says nothing of how sure the model is; one that gives "
            "probabilities (of scikit-learn: CalibratedClassifierCV) teaches better."
        )
        return Answers("logits", floor, (note,))
    return Answers("logits", floor)


def _of_several(floor: float, last: str, between: bool) -> Answers:
    if last in _SOFTMAX:
        note = (
            "the model's last operation is a softmax, by which an image has one class, and here it may have several: "
            "each number p is taken for the probability of its class by itself. Export the logits, or train it with "
            "sigmoids."
        )
        return Answers("sigmoids", floor, (note,))
    return Answers("sigmoids" if between or last in _SIGMOID else "logits", floor)


def _floor(numbers_BK: NDArray[np.float64], step: float) -> float:
    if step:
        return step / (2 * int(numbers_BK.shape[1]))  # all that were rounded to 0 together: half a step
    with np.errstate(over="ignore"):
        of_half = bool((numbers_BK.astype(np.float16) == numbers_BK).all())
    return _SMALLEST_OF_HALF if of_half else _SMALLEST
