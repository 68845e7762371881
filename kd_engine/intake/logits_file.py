"""The logits of a network that stays with its owner: an array in the order of a data set's samples.

Shapes: N images, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from kd_engine.catalog import TASKS
from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION
from kd_engine.data.dataset import RawData
from kd_engine.intake.answer_kinds import recognised
from kd_engine.intake.arrays import load_arrays
from kd_engine.intake.class_order import MOST_ORDERED, best_order
from kd_engine.models.class_scores import as_logits
from kd_engine.models.foreign import LogitsParams, RecordedLogits, keys_of
from kd_engine.schema.errors import DataError
from kd_engine.statistics.intervals import of_accuracy
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Task

_NOT_LOGITS = "the rows are {what}, not logits, by their numbers: their logits are taken. Record logits if you can."
_WHAT = {"probabilities": "probabilities", "sigmoids": "numbers between 0 and 1"}
_ENOUGH = 10  # images of a class, for an order of the classes to be told from chance
_HARDLY, _CLEARLY = 0.02, 0.1  # above what naming the largest class alone would come to


def recorded_logits(
    path: Path, raw: RawData, columns: tuple[int, ...], task: str = IMAGE_CLASSIFICATION
) -> tuple[RecordedLogits, list[str]]:
    """The arrays of an .npz file, one a split (N x K each), as a network that knows these images; and notes.

    Args:
        raw: the data set as it was read, in its publisher's order, or in that of `samples.csv`.
        columns: for each class of the data set, the column that is of it.
        task: what the labels mean.

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
    parts: dict[str, NDArray[np.float32]] = {}
    notes: dict[str, None] = {}
    for name in images:
        numbers_NK = _checked(arrays[name], name, len(images[name]), len(columns))
        answers = recognised(numbers_NK, several=TASKS[task].several)
        if answers.kind != "logits":
            notes |= dict.fromkeys([_NOT_LOGITS.format(what=_WHAT[answers.kind]), *answers.notes])
        parts[name] = as_logits(numbers_NK, answers.kind, answers.floor)[:, list(columns)]
    answered = {name: (parts[name], labels_N.numpy()) for name, _, labels_N in raw.parts()}
    if TASKS[task].several:
        check_rows_of_several(answered, load_task(task))
    else:
        notes |= dict.fromkeys(check_rows(answered))
    network = RecordedLogits(LogitsParams(images=sum(map(len, parts.values())), classes=len(columns)))
    keys = [key for name in images for key in keys_of(images[name])]
    network.keys_N2.copy_(torch.tensor(keys, dtype=torch.int64))
    network.logits_NK.copy_(torch.from_numpy(np.concatenate(list(parts.values()))))
    return network, list(notes)


def check_rows(parts: Mapping[str, tuple[NDArray[Any], NDArray[Any]]]) -> list[str]:
    """Notes on rows that may be of other images than their place says.

    Args:
        parts: of each split its logits `[N, K]` and its labels.

    Raises:
        DataError: the rows of one split name its images no better than chance, and those of the other do.
    """
    named = {
        name: (torch.from_numpy(logits_NK.argmax(axis=1)), torch.from_numpy(labels_N))
        for name, (logits_NK, labels_N) in parts.items()
    }
    classes = next(iter(parts.values()))[0].shape[1]
    # columns in another order are another fault, and told as such: here they are taken as fits one of the splits best
    orders = [torch.arange(classes)]
    orders += [
        best_order(*pair, classes)
        for pair in named.values()
        if _ENOUGH * classes <= len(pair[0]) and classes <= MOST_ORDERED
    ]
    counted = [{name: int((order_K[p_N] == y_N).sum()) for name, (p_N, y_N) in named.items()} for order_K in orders]
    right = max(counted, key=lambda counts: max(counts[name] / len(named[name][1]) for name in counts))
    shares = {name: of_accuracy(right[name], len(labels_N)) for name, (_, labels_N) in named.items()}
    by_chance = {name: float(torch.bincount(labels_N).max()) / len(labels_N) for name, (_, labels_N) in named.items()}
    good = max(shares, key=lambda name: shares[name].interval[0])
    for bad in shares:
        guessed = shares[bad].interval[0] <= by_chance[bad] + _HARDLY
        if guessed and shares[good].interval[0] > max(by_chance[good], shares[bad].interval[1]) + _CLEARLY:
            raise DataError(
                f"the rows of '{bad}' are in another order than the images: they name {100 * shares[bad].mean:.2f} % "
                f"of the {bad} images right, those of '{good}' {100 * shares[good].mean:.2f} %. Expected a row for "
                "each image in the order of samples.csv (of a data set of the catalogue: of its files); record them "
                "without shuffling."
            )
    if shares["train"].interval[1] < shares["test"].interval[0] - _HARDLY:
        return [
            f"the rows of 'train' name {100 * shares['train'].mean:.2f} % of the train images right, those of 'test' "
            f"{100 * shares['test'].mean:.2f} % of theirs: are some of 'train' in another order, or of changed images?"
        ]
    return []


def check_rows_of_several(parts: Mapping[str, tuple[NDArray[Any], NDArray[Any]]], task: Task) -> None:
    """Raises as `check_rows`, where an image may have several classes.

    By the task's first metric: of rows in another order it is the share of images that a class has, or less.
    """
    main, found = task.metrics[0], dict[str, float]()
    for name, (logits_NK, labels_NK) in parts.items():
        evaluator = task.evaluator()
        evaluator.update(torch.from_numpy(logits_NK), torch.from_numpy(labels_NK))
        found[name] = evaluator.metrics()[main.name]
    by_chance = {name: float(labels_NK[:, labels_NK.any(axis=0)].mean()) for name, (_, labels_NK) in parts.items()}
    good = max(found, key=lambda name: found[name] - by_chance[name])
    for bad, value in found.items():
        if value <= by_chance[bad] + _HARDLY and found[good] > max(by_chance[good], value) + _CLEARLY:
            raise DataError(
                f"the rows of '{bad}' are in another order than the images: their {main.label} is "
                f"{main.show(value)}, that of '{good}' {main.show(found[good])}. Expected a row for each image in the "
                "order of samples.csv (of a data set of the catalogue: of its files); record them without shuffling."
            )


def _checked(array: NDArray[Any], name: str, images: int, num_classes: int) -> NDArray[Any]:
    if array.dtype.kind != "f" or array.shape != (images, num_classes):
        raise DataError(
            f"'{name}' is {array.dtype} of shape {array.shape}; expected floating-point numbers of shape "
            f"{(images, num_classes)}: a row for each {name} image, a column for each class."
        )
    if not (np.abs(array) <= np.finfo(np.float32).max).all():
        raise DataError(f"'{name}' holds numbers that are not finite, or too large for 32 bits.")
    return array.astype(np.float64) if array.dtype.itemsize > 4 else array.astype(np.float32)
