"""Whether a network's outputs are in the order of the classes. Shapes: N images, K classes."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor

from kd_engine.schema.errors import DataError
from kd_engine.statistics.intervals import of_paired_difference
from kd_engine.tasks.image_classification.metrics import confusion_matrix

MOST_ORDERED = 1000  # classes: the assignment problem takes the square of their number, in time too


def check_order(labels_N: Tensor, predicted_N: Tensor, classes: tuple[str, ...], named: tuple[str, ...]) -> None:
    """Raises DataError where the outputs, in another order, would name clearly more of the images right.

    Args:
        classes: of the data set, which labels and predictions are numbers of.
        named: for each output of the file the class that it was taken for.
    """
    if len(classes) > MOST_ORDERED:
        return
    better_K = best_order(predicted_N, labels_N, len(classes))
    reordered_N, now_N = better_K[predicted_N] == labels_N, predicted_N == labels_N
    gained, lost = int((reordered_N & ~now_N).sum()), int((now_N & ~reordered_N).sum())
    images = len(now_N)
    # an order that is chosen to fit always gains a little: half of what is wrong must become right
    if of_paired_difference(gained, lost, images).interval[0] <= 0 or gained - lost < (images - int(now_N.sum())) / 2:
        return
    order = ",".join(classes[int(better_K[classes.index(name)])] for name in named)
    than = "the data set's classes" if named == classes else "the classes that they were taken for"
    raise DataError(
        f"the network's outputs are in another order than {than}: as sent it names "
        f"{100 * _share(predicted_N, labels_N):.2f} % of {images:,} images of train right, with the outputs taken for "
        f"the classes {order} it would be {100 * _share(better_K[predicted_N], labels_N):.2f} %. Send it again with "
        f"classes={order}."
    )


def in_both_orders(labels_N: Tensor, predicted_N: Tensor, classes: int) -> tuple[float, float]:
    """Accuracy on half of the images, as it is and in the order of the classes that fits the other half best."""
    half = len(labels_N) // 2
    order_K = best_order(predicted_N[:half], labels_N[:half], classes)
    given_N, right_N = predicted_N[half:], labels_N[half:]
    return _share(given_N, right_N), _share(order_K[given_N], right_N)


def _share(predicted_N: Tensor, labels_N: Tensor) -> float:
    return float((predicted_N == labels_N).double().mean())


def best_order(predicted_N: Tensor, labels_N: Tensor, classes: int) -> Tensor:
    """For each output the class that it is, in the order that makes the most images right (the assignment problem)."""
    confusion_KK = confusion_matrix(labels_N, predicted_N, classes).cpu()
    rows, columns = linear_sum_assignment(confusion_KK.numpy(), maximize=True)
    better_K = torch.empty(classes, dtype=torch.int64)
    better_K[torch.from_numpy(columns)] = torch.from_numpy(rows)
    return better_K
