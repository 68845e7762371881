"""Jobs whose time is over go, with their files; others stay."""

from __future__ import annotations

import time

import pytest

from distillery.states import EndReason
from jobs.database import Database
from jobs.errors import JobNotFound
from tests.jobs.samples import a_file, create, read, running

SOON = 1e-6  # days


def ended(database: Database, **changes: object) -> str:
    job_id, token = running(database, **changes)
    with database.write() as repository:
        repository.finish(job_id, token, EndReason.COMPLETED, "", [a_file(key=f"{job_id}/1/report.json")])
    return job_id


def test_a_job_is_kept_as_long_as_it_says_or_as_the_service_says(database: Database) -> None:
    soon, long, silent = (ended(database, **keep) for keep in ({"keep_days": SOON}, {"keep_days": 9}, {}))
    create(database, keep_days=SOON)  # has not ended
    time.sleep(0.005)
    with database.write() as repository:
        assert repository.purge_ended(3600, 10) == ([soon], [f"{soon}/1/report.json"])
        assert repository.purge_ended(None, 10) == ([], [])
        assert repository.purge_ended(-1, 10) == ([silent], [f"{silent}/1/report.json"])
    with pytest.raises(JobNotFound):
        read(database, soon)
    assert read(database, long).id == long


def test_a_bounded_number_goes_at_a_time_oldest_first(database: Database) -> None:
    jobs = [ended(database) for _ in range(3)]
    with database.write() as repository:
        assert repository.purge_ended(-1, 2)[0] == jobs[:2]
        assert repository.purge_ended(-1, 2)[0] == jobs[2:]


def test_which_files_no_row_names(database: Database) -> None:
    named = f"{ended(database)}/1/report.json"
    with database.read() as repository:
        assert repository.unnamed([named, "job_1/1/student.safetensors"]) == {"job_1/1/student.safetensors"}
