"""What is held out is exact, stratified and the same for ever."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kd_engine.data.splits import held_out

labels_lists = st.lists(st.integers(0, 5), min_size=1, max_size=200)


@given(labels=labels_lists, share=st.floats(0, 1), seed=st.integers(0, 2**32 - 1))
def test_exact_number_and_the_same_share_of_every_class(labels: list[int], share: float, seed: int) -> None:
    labels_N = np.array(labels)
    count = round(share * len(labels_N))

    mask = held_out(labels_N, count, seed)

    assert mask.sum() == min(count, len(labels_N) - len(set(labels)))
    sizes = np.bincount(labels_N)
    for label in set(labels):
        members = labels_N == label
        exact = members.sum() * count / len(labels_N)
        assert mask[members].sum() < sizes[label]
        if all(size * count / len(labels_N) <= size - 1 for size in sizes if size):
            assert abs(mask[members].sum() - exact) < 1


@given(labels=labels_lists, copies=st.lists(st.integers(0, 40), min_size=200, max_size=200), share=st.floats(0, 0.5))
def test_equal_images_stay_together(labels: list[int], copies: list[int], share: float) -> None:
    labels_N, twins_N = np.array(labels), np.array(copies[: len(labels)])
    count = round(share * len(labels_N))

    mask = held_out(labels_N, count, 0, twins_N)

    for group in set(twins_N.tolist()):
        assert len(set(mask[twins_N == group].tolist())) == 1
    assert all((~mask[labels_N == label]).any() for label in set(labels))


@given(labels=labels_lists, seed=st.integers(0, 2**32 - 1))
def test_where_none_has_a_twin_the_draw_is_the_one_without(labels: list[int], seed: int) -> None:
    labels_N = np.array(labels)
    expected = held_out(labels_N, len(labels) // 3, seed)
    assert np.array_equal(held_out(labels_N, len(labels) // 3, seed, np.arange(len(labels))), expected)


@given(labels=labels_lists, seed=st.integers(0, 2**32 - 1))
def test_depends_on_nothing_but_its_arguments(labels: list[int], seed: int) -> None:
    labels_N = np.array(labels)
    np.random.seed(len(labels))

    first = held_out(labels_N, len(labels) // 2, seed)
    np.random.random(3)

    assert np.array_equal(held_out(labels_N, len(labels) // 2, seed), first)


def test_a_larger_share_holds_out_what_a_smaller_one_does() -> None:
    labels_N = np.arange(1000) % 10

    small, large = held_out(labels_N, 100, 1), held_out(labels_N, 300, 1)

    assert not (small & ~large).any()


def test_other_seeds_hold_out_others() -> None:
    labels_N = np.arange(1000) % 10

    assert not np.array_equal(held_out(labels_N, 100, 1), held_out(labels_N, 100, 2))


def test_the_draw_is_the_one_that_all_earlier_jobs_had() -> None:
    mask = held_out(np.arange(1000) % 10, 100, 1)

    # a change here changes every split, and with it every cached teacher and published number
    assert np.flatnonzero(mask)[:5].tolist() == [5, 11, 12, 14, 15]
    assert hashlib.sha256(mask.tobytes()).hexdigest()[:16] == "f6f7b4bd33cc7613"


@pytest.mark.parametrize("count", [-1, 11])
def test_refuses_what_cannot_be_held_out(count: int) -> None:
    with pytest.raises(ValueError, match=f"cannot hold out {count} of 10 images"):
        held_out(np.arange(10), count, 0)
