"""Lists with all their filters, paging, and the order of what belongs to a job. On both databases."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from distillery.states import EndReason, JobState
from jobs.database import Database
from jobs.repository import JobFilter
from kd_engine.schema.phases import PHASES
from tests.jobs.samples import an_epoch, claim, create, read, running


def listed(database: Database, before: str | None = None, limit: int = 100, **filters: Any) -> list[str]:
    with database.read() as repository:
        return [job.id for job in repository.list_jobs(JobFilter(**filters), before=before, limit=limit)]


def test_newest_first_page_by_page(database: Database) -> None:
    ids = [create(database) for _ in range(7)]
    assert ids == sorted(ids)
    newest_first = ids[::-1]
    assert listed(database) == newest_first
    pages, before = [], None
    while page := listed(database, before, 3):
        pages.append(page)
        before = page[-1]
    assert [len(page) for page in pages] == [3, 3, 1]
    assert list(itertools.chain(*pages)) == newest_first


def test_a_job_that_comes_while_one_pages_shifts_nothing(database: Database) -> None:
    ids = [create(database) for _ in range(4)]
    first = listed(database, limit=2)
    create(database)
    assert first + listed(database, first[-1], 2) == ids[::-1]


def test_by_state(database: Database) -> None:
    queued, (busy, _), (done, token) = create(database), running(database), running(database)
    with database.write() as repository:
        repository.finish(done, token, EndReason.COMPLETED)
    assert listed(database, state=JobState.QUEUED) == [queued]
    assert listed(database, state=JobState.RUNNING) == [busy]
    assert listed(database, state=JobState.SUCCEEDED) == [done]
    assert listed(database, state=JobState.FAILED) == []
    assert listed(database, queued, state=JobState.QUEUED) == []


def test_by_name_dataset_and_student(database: Database) -> None:
    a = create(database, name="a")
    ab = create(database, name="a b%_'")
    digits = create(database, name="a", dataset="digits")
    mlp = create(database, name="a", student="mlp")
    assert listed(database, name="a") == [mlp, digits, a]
    assert listed(database, name="a b%_'") == [ab]
    assert listed(database, name="") == []
    assert listed(database, dataset="digits") == [digits]
    assert listed(database, student="mlp", name="a") == [mlp]
    assert listed(database, student="mlp", dataset="digits") == []


def test_by_labels_all_of_them(database: Database) -> None:
    both = create(database, labels={"team": "vision", "run": "1"})
    one = create(database, labels={"team": "vision"})
    create(database, labels={"team": "audio", "vision": "team"})
    create(database)
    assert listed(database, labels={"team": "vision"}) == [one, both]
    assert listed(database, labels={"team": "vision", "run": "1"}) == [both]
    assert listed(database, labels={"team": "vision", "run": "2"}) == []
    assert listed(database, one, 10, labels={"team": "vision"}) == [both]


def test_by_time(database: Database) -> None:
    job_id = create(database)
    made = read(database, job_id).created_at
    assert made.tzinfo is UTC
    assert listed(database, created_after=made - timedelta(milliseconds=1)) == [job_id]
    assert listed(database, created_after=made) == []
    assert listed(database, created_after=datetime(2000, 1, 1, tzinfo=UTC)) == [job_id]


@pytest.mark.parametrize("text", ["\0", "a\0", "\ud800"])
def test_a_text_that_cannot_be_stored_is_nobodys(database: Database, text: str) -> None:
    create(database, name="a", labels={"a": "b"})
    assert listed(database, name=text) == []
    assert listed(database, dataset=text) == []
    assert listed(database, student=text) == []
    assert listed(database, labels={"a": text}) == []
    assert listed(database, labels={text: "b"}) == []


def test_events_after_a_number(database: Database) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(epoch) for epoch in range(1, 9)])
    with database.read() as repository:
        assert [event.seq for event in repository.events(job_id, 0, 3)] == [1, 2, 3]
        assert [event.seq for event in repository.events(job_id, 3, 100)] == [4, 5, 6, 7, 8, 9, 10]
        assert repository.events(job_id, 10, 100) == []
        assert all(event.at.tzinfo is UTC for event in repository.events(job_id, 0, 100))


def test_metrics_are_in_the_order_of_the_run(database: Database) -> None:
    job_id, token = running(database)
    rows = [(phase, repeat, epoch) for phase in PHASES for repeat in (0, 1) for epoch in (1, 2, 10)]
    with database.write() as repository:
        repository.record(job_id, token, [an_epoch(epoch, phase, repeat) for phase, repeat, epoch in reversed(rows)])
    with database.read() as repository:
        assert [(row.phase, row.repeat, row.epoch) for row in repository.metrics(job_id)] == rows
        for limit in (1, 2, 5, len(rows), 100):
            paged, last = [], None
            while page := repository.metrics_page(job_id, last, limit):
                assert len(page) <= limit
                paged += [(row.phase, row.repeat, row.epoch) for row in page]
                last = page[-1]
            assert paged == rows


def test_a_reader_sees_one_state_of_the_data(database: Database) -> None:
    job_id = create(database)
    with database.read() as repository:
        before = repository.get(job_id)
        version = before.version
        claim(database, job_id)
        assert repository.get(job_id).version == version
        assert len(repository.events(job_id, 0, 10)) == 1
    assert read(database, job_id).version > version
