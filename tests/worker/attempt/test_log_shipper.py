"""Every line goes out once, whole and in order, whatever the database does meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError

from worker.attempt.log_shipper import LogShipper


class Database:
    """Takes lines, when it is there."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.away = False

    def write(self, lines: Sequence[str]) -> None:
        if self.away:
            raise OperationalError("INSERT", {}, Exception("away"))
        self.lines += lines


@pytest.fixture
def database() -> Database:
    return Database()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "trainer.log"


def _append(file: Path, text: bytes) -> None:
    with file.open("ab") as log:
        log.write(text)


def _drain(shipper: LogShipper) -> None:
    while shipper.ship_chunk(ended=True):
        continue


def test_a_line_is_shipped_once_it_is_whole(file: Path, database: Database) -> None:
    shipper = LogShipper(file, database.write)
    assert not shipper.ship_chunk(ended=False)  # no file yet
    _append(file, b"one\ntw")
    assert shipper.ship_chunk(ended=False)
    assert not shipper.ship_chunk(ended=False)
    assert database.lines == ["one"]
    _append(file, b"o\nthree")
    _drain(shipper)
    assert database.lines == ["one", "two", "three"]


def test_lines_wait_while_the_database_is_away(file: Path, database: Database) -> None:
    shipper = LogShipper(file, database.write)
    _append(file, b"one\n")
    database.away = True
    with pytest.raises(OperationalError):
        shipper.ship()
    _append(file, b"two\n")
    database.away = False
    _drain(shipper)
    assert database.lines == ["one", "two"]


def test_the_workers_own_lines_come_first(file: Path, database: Database) -> None:
    shipper = LogShipper(file, database.write)
    shipper.add("a checkpoint was damaged")
    _append(file, b"one\n")
    _drain(shipper)
    assert database.lines == ["a checkpoint was damaged", "one"]


def test_a_line_without_an_end_takes_a_bounded_part_of_the_memory(
    file: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.attempt.log_shipper._CHUNK_BYTES", 10)
    shipper = LogShipper(file, database.write)
    _append(file, b"x" * 25)
    while shipper.ship_chunk(ended=False):
        continue
    assert database.lines == ["x" * 10, "x" * 10]


def test_a_log_without_an_end_is_not_read_for_ever(
    file: Path, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.attempt.log_shipper._CHUNK_BYTES", 10)
    monkeypatch.setattr("worker.attempt.log_shipper.MOST_BYTES", 30)
    shipper = LogShipper(file, database.write)
    _append(file, b"12345678\n" * 100)
    _drain(shipper)
    assert len(database.lines) == 4


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(lines=st.lists(st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=8), max_size=30))
def test_however_it_is_cut_each_line_comes_once(lines: list[str], file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database()
    file.write_text("".join(f"{line}\n" for line in lines))
    monkeypatch.setattr("worker.attempt.log_shipper._CHUNK_BYTES", 10)
    monkeypatch.setattr("worker.attempt.log_shipper._CHUNK_LINES", 3)
    _drain(LogShipper(file, database.write))
    assert database.lines == lines
