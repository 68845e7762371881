from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.errors import Problem
from api.http.ranges import MOST_RANGES, parse_ranges

sizes = st.integers(0, 60)
numbers = st.integers(0, 70)
pairs: st.SearchStrategy[tuple[int | None, int | None]] = st.one_of(
    st.tuples(numbers, st.none()),
    st.tuples(st.none(), numbers),
    st.tuples(numbers, numbers).map(lambda pair: (min(pair), max(pair))),
)


@given(sizes, st.lists(pairs, min_size=1, max_size=MOST_RANGES))
def test_exactly_the_bytes_asked_for(size: int, asked: list[tuple[int | None, int | None]]) -> None:
    header = "bytes=" + ",".join(f"{'' if a is None else a}-{'' if b is None else b}" for a, b in asked)
    wanted = {byte for pair in asked for byte in _bytes(size, *pair)}
    if not wanted:
        with pytest.raises(Problem) as caught:
            parse_ranges(header, size)
        assert caught.value.headers["Content-Range"] == f"bytes */{size}"
        return
    found = parse_ranges(header, size)
    assert {byte for start, end in found for byte in range(start, end)} == wanted
    assert sum(end - start for start, end in found) == len(wanted)
    assert found == sorted(found)


def _bytes(size: int, first: int | None, last: int | None) -> set[int]:
    if first is None:
        assert last is not None
        return set(range(size)[-last:]) if last else set()
    return {byte for byte in range(size) if byte >= first and (last is None or byte <= last)}


@given(st.text(), sizes)
def test_any_text_is_a_range_or_ignored(header: str, size: int) -> None:
    try:
        found = parse_ranges(header, size)
    except Problem as problem:
        found, status = [], problem.status
    else:
        status = 206
    assert status in {206, 416}
    assert all(0 <= start < end <= size for start, end in found)


def test_too_many_ranges_are_ignored() -> None:
    parts = [f"{n}-{n}" for n in range(0, 2 * MOST_RANGES + 2, 2)]
    assert parse_ranges("bytes=" + ",".join(parts), 100) == []
    assert len(parse_ranges("bytes=" + ",".join(parts[:-1]), 100)) == MOST_RANGES
