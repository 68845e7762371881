"""Numbers made of a network's answers. Shapes: N images of a split, K classes."""

from __future__ import annotations

import torch
from torch import Tensor

from kd_engine.schema.model_details import ClassRow, Confusion

_MOST_CONFUSED = 10


def confusion_matrix(labels_N: Tensor, predicted_N: Tensor, classes: int) -> Tensor:
    """Images by their class (rows) and the class that they were given (columns), int64 `[K, K]`."""
    return torch.bincount(labels_N * classes + predicted_N, minlength=classes**2).reshape(classes, classes)


def class_table(labels_N: Tensor, predicted_N: Tensor, names: tuple[str, ...]) -> list[ClassRow]:
    """For each class its name, number of images, recall and precision (0 to 1).

    Recall is None where the split has no image of the class, precision where no image was given it.
    """
    images_K, given_K, hits_K = (
        torch.bincount(which, minlength=len(names)).tolist()
        for which in (labels_N, predicted_N, labels_N[labels_N == predicted_N])
    )
    return [
        ClassRow(
            name=name,
            images=images,
            recall=hits / images if images else None,
            precision=hits / given if given else None,
        )
        for name, images, given, hits in zip(names, images_K, given_K, hits_K, strict=True)
    ]


def most_confused(labels_N: Tensor, predicted_N: Tensor, names: tuple[str, ...]) -> list[Confusion]:
    """The most frequent confusions, at most ten: the images' class, the class that they were given, how many."""
    wrong_N = labels_N != predicted_N
    pairs, counts = torch.unique(labels_N[wrong_N] * len(names) + predicted_N[wrong_N], return_counts=True)
    order = counts.argsort(descending=True, stable=True)[:_MOST_CONFUSED]
    return [
        Confusion(label=names[pair // len(names)], predicted=names[pair % len(names)], images=count)
        for pair, count in zip(pairs[order].tolist(), counts[order].tolist(), strict=True)
    ]
