"""The class table and the confusions against scikit-learn."""

from __future__ import annotations

from collections import Counter

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import confusion_matrix as reference_matrix
from sklearn.metrics import precision_recall_fscore_support

from kd_engine.tasks.image_classification.metrics import class_table, confusion_matrix, most_confused

NAMES = tuple("abcdefg")
_labels = st.integers(0, len(NAMES) - 1)


@given(st.lists(st.tuples(_labels, _labels), min_size=1, max_size=60))
def test_table_and_matrix_are_those_of_scikit_learn(pairs: list[tuple[int, int]]) -> None:
    labels_N, predicted_N = (torch.tensor(values) for values in zip(*pairs, strict=True))
    every = list(range(len(NAMES)))
    assert (
        confusion_matrix(labels_N, predicted_N, len(NAMES)).tolist()
        == reference_matrix(labels_N.numpy(), predicted_N.numpy(), labels=every).tolist()
    )
    precision_K, recall_K, _, images_K = precision_recall_fscore_support(
        labels_N.numpy(), predicted_N.numpy(), labels=every, zero_division=0
    )
    given_K = Counter(predicted for _, predicted in pairs)
    for label, row in enumerate(class_table(labels_N, predicted_N, NAMES)):
        assert row.name == NAMES[label]
        assert row.images == images_K[label]
        assert row.recall == (pytest.approx(recall_K[label]) if images_K[label] else None)
        assert row.precision == (pytest.approx(precision_K[label]) if given_K[label] else None)


@given(st.lists(st.tuples(_labels, _labels), min_size=1, max_size=200))
def test_confusions_are_counted_and_sorted(pairs: list[tuple[int, int]]) -> None:
    labels_N, predicted_N = (torch.tensor(values) for values in zip(*pairs, strict=True))
    found = most_confused(labels_N, predicted_N, NAMES)
    counted = Counter((NAMES[label], NAMES[predicted]) for label, predicted in pairs if label != predicted)
    assert [row.images for row in found] == sorted(counted.values(), reverse=True)[:10]
    assert all(counted[row.label, row.predicted] == row.images for row in found)
