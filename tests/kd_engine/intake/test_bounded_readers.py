"""No file of some kilobytes costs its reader more memory than is stated, whatever it says of itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from kd_engine.intake.formats import FORMATS
from tests.kd_engine.intake import (
    lies_archives,
    lies_arrays,
    lies_lists,
    lies_nested,
    lies_networks,
    lies_pictures,
    lies_published,
    lies_shards,
    lies_tables,
)
from tests.kd_engine.intake.measured import Measuring, measuring
from tests.kd_engine.intake.readers import READERS

LIES = (
    lies_published.LIES
    | lies_archives.LIES
    | lies_arrays.LIES
    | lies_pictures.LIES
    | lies_tables.LIES
    | lies_shards.LIES
    | lies_nested.LIES
    | lies_networks.LIES
    | lies_lists.LIES
)
_NOT_READ = {"npy", "pickle", "pt2", "empty"}  # by anything: they are told what they are
_MOST_KILOBYTES = 1500


@pytest.fixture(scope="module")
def child() -> Iterator[Measuring]:
    with measuring() as process:
        yield process


@pytest.mark.parametrize(("reader", "lie"), [(reader, lie) for reader, lies in LIES.items() for lie in lies])
def test_a_lie_is_refused_and_costs_little(child: Measuring, tmp_path: Path, reader: str, lie: str) -> None:
    make, message = LIES[reader][lie]
    (tmp_path / "file").write_bytes(make())
    assert (tmp_path / "file").stat().st_size < _MOST_KILOBYTES * 1000
    (tmp_path / "out").mkdir()

    found = child.read(reader, tmp_path / "file", tmp_path / "out")

    assert message in str(found.error)
    assert found.refused or found.error is None
    assert found.peak <= READERS[reader].bound


def test_every_format_that_is_read_has_its_lies() -> None:
    assert {reader.format for reader in READERS.values()} == set(FORMATS) - _NOT_READ
    assert LIES.keys() == READERS.keys()
