"""Messages to webhooks: made with the end of a job in one transaction, delivered by one place at a time, kept."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import create_engine, text

from jobs.db import Database
from jobs.models import DeliveryState
from jobs.states import EndReason
from tests.jobs.samples import all_at_once, create, read, running

HOOKS = {"webhooks": [{"url": "https://example.org/a"}, {"url": "https://example.org/b"}]}


def ended(database: Database, reason: EndReason = EndReason.COMPLETED) -> str:
    job_id, token = running(database, name="mine", **HOOKS)
    with database.write() as repository:
        repository.finish(job_id, token, reason, "why")
    return job_id


@pytest.mark.parametrize("reason", [EndReason.COMPLETED, EndReason.DIVERGED, EndReason.CANCELLED])
def test_the_end_of_a_job_is_told_to_each_of_its_webhooks(database: Database, reason: EndReason) -> None:
    job_id = ended(database, reason)
    with database.write() as repository:
        first, second = repository.take_deliveries(10)
    assert {first.url, second.url} == {"https://example.org/a", "https://example.org/b"}
    assert first.id != second.id
    finished = read(database, job_id).finished_at
    assert finished is not None
    assert json.loads(first.body) == {
        "type": f"job.{reason.state}",
        "timestamp": finished.isoformat(),
        "data": {"id": job_id, "name": "mine", "state": reason.state, "reason": reason},
    }


def test_a_job_without_webhooks_or_without_an_end_tells_nobody(database: Database) -> None:
    create(database, **HOOKS)
    job_id, token = running(database)
    with database.write() as repository:
        repository.finish(job_id, token, EndReason.COMPLETED)
        assert repository.take_deliveries(10) == []


def test_a_job_cancelled_in_the_queue_tells_too(database: Database) -> None:
    job_id = create(database, **HOOKS)
    with database.write() as repository:
        repository.request_cancel(job_id)
        assert len(repository.take_deliveries(10)) == 2


def test_a_message_is_delivered_by_one_place_and_comes_up_again_when_that_dies(database: Database) -> None:
    ended(database)
    found = all_at_once(database, [lambda repository: [row.id for row in repository.take_deliveries(10)]] * 4)
    assert sorted(len(ids) for ids in found) == [0, 0, 0, 2]
    engine = create_engine(database.url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE deliveries SET due_at = 0"))
    engine.dispose()
    with database.write() as repository:
        again = repository.take_deliveries(10)
    assert [row.tries for row in again] == [2, 2]


def test_how_a_message_is_settled(database: Database) -> None:
    job_id = ended(database)
    with database.write() as repository:
        taken, refused = (row.id for row in repository.take_deliveries(10))
        repository.settle_delivery(taken, None, None)
        repository.settle_delivery(refused, "status 503", -1)
        (later,) = repository.take_deliveries(10)
        assert (later.id, later.last_error, later.tries) == (refused, "status 503", 2)
        repository.settle_delivery(refused, "status 410", None)
        repository.settle_delivery(refused, None, None)  # a late word changes nothing
        assert repository.take_deliveries(10) == []
    with database.read() as repository:
        states = {row.id: row.state for row in repository.deliveries(job_id)}
    assert states == {taken: DeliveryState.DELIVERED, refused: DeliveryState.GIVEN_UP}


def test_settled_messages_go_after_a_while_and_due_ones_stay(database: Database) -> None:
    job_id = ended(database)
    with database.write() as repository:
        settled, due = (row.id for row in repository.take_deliveries(10))
        repository.settle_delivery(settled, None, None)
        assert repository.purge_deliveries(3600, 10) == 0
        assert repository.purge_deliveries(-1, 10) == 1
        assert [row.id for row in repository.deliveries(job_id)] == [due]


def test_a_message_goes_out_though_its_job_is_deleted(database: Database) -> None:
    job_id = ended(database)
    with database.write() as repository:
        repository.delete(job_id)
        assert len(repository.take_deliveries(10)) == 2
