"""The log of a job's runs: numbered, bounded, written by the attempt that holds the job."""

from __future__ import annotations

import pytest

from jobs.database import Database
from jobs.errors import LeaseLost
from jobs.repository.logs import LONGEST_LINE, MOST_LINES
from tests.jobs.samples import claim, running


def test_lines_are_numbered_through_all_attempts(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.write_log(job_id, token, ["one", "two\0 \ud800"])
        repository.hand_back(job_id, token, "deploy")
    with pytest.raises(LeaseLost), database.write() as repository:
        repository.write_log(job_id, token, ["late"])
    second = claim(database, job_id)
    with database.write() as repository:
        repository.write_log(job_id, second, ["three" * LONGEST_LINE])
    with database.read() as repository:
        lines = repository.log(job_id, 0, 10)
        assert [(row.seq, row.attempt, row.line[:5]) for row in lines] == [
            (1, 1, "one"),
            (2, 1, "two ?"),
            (3, 2, "three"),
        ]
        assert len(lines[2].line) == LONGEST_LINE
        assert [row.seq for row in repository.log(job_id, 1, 1)] == [2]
        assert [row.seq for row in repository.log_tail(job_id, 2)] == [2, 3]


def test_a_log_without_end_is_cut(sqlite_database: Database) -> None:
    job_id, token = running(sqlite_database)
    with sqlite_database.write() as repository:
        repository.write_log(job_id, token, ["x"] * (MOST_LINES - 1))
        repository.write_log(job_id, token, ["y", "z"])
        repository.write_log(job_id, token, ["more"])
        last = repository.log_tail(job_id, 1)[0]
    assert last.seq == MOST_LINES
    assert "ends after 20,000 lines" in last.line
