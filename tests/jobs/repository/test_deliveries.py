"""Messages to webhooks: made with the end of a job in one transaction, delivered by one place at a time, kept."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from sqlalchemy import create_engine, text

from distillery.states import DeliveryState, EndReason
from jobs.database import Database
from tests.jobs.samples import a_spec, all_at_once, create, read, running

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


def told(database: Database, owner: str, host: str, count: int) -> None:
    """So many messages of an owner to a host: some jobs that end in the queue."""
    with database.write() as repository:
        for start in range(0, count, 8):
            hooks = [{"url": f"https://{host}/{number}"} for number in range(start, min(start + 8, count))]
            repository.request_cancel(repository.create(a_spec(webhooks=hooks), owner=owner).id)


def taken(database: Database, limit: int = 100) -> Counter[tuple[str, str]]:
    """How many messages one place takes, by owner and host."""
    with database.write() as repository:
        return Counter((row.owner, row.host) for row in repository.take_deliveries(limit))


def test_many_messages_of_one_owner_hold_up_nobody_elses(database: Database) -> None:
    told(database, "many", "dead.example", 96)
    told(database, "few", "alive.example", 1)
    assert taken(database) == {("many", "dead.example"): 2, ("few", "alive.example"): 1}
    assert taken(database) == {}, "also in another place, while they are under way"
    told(database, "few", "dead.example", 1)
    assert taken(database) == {("few", "dead.example"): 1}, "a host that one owner waits for is open to others"


def test_of_one_owner_so_many_are_under_way_and_another_host_has_room(database: Database) -> None:
    for host in ("one.example", "two.example", "three.example"):
        told(database, "many", host, 5)
    assert taken(database) == {("many", "one.example"): 2, ("many", "two.example"): 2}
    assert taken(database) == {}


def test_to_one_host_so_many_are_under_way(database: Database) -> None:
    for number in range(6):
        told(database, f"owner-{number}", "dead.example", 3)
    told(database, "last", "alive.example", 1)
    found = taken(database)
    assert sum(many for (_, host), many in found.items() if host == "dead.example") == 8
    assert found["last", "alive.example"] == 1
    assert all(found[f"owner-{number}", "dead.example"] >= 1 for number in range(6))


def test_owners_take_turns_and_the_earliest_goes_first(database: Database) -> None:
    told(database, "many", "a.example", 3)
    told(database, "few", "b.example", 3)
    orders = []
    for _ in range(4):
        with database.write() as repository:
            [row] = repository.take_deliveries(1)
        orders.append((row.owner, row.url[-1]))
    assert orders == [("many", "0"), ("few", "0"), ("many", "1"), ("few", "1")]


def test_what_is_settled_makes_room(database: Database) -> None:
    told(database, "many", "dead.example", 3)
    with database.write() as repository:
        first, second = repository.take_deliveries(10)
        repository.settle_delivery(first.id, "status 503", 3600)
        assert len(repository.take_deliveries(10)) == 1
        repository.settle_delivery(second.id, None, None)
        assert repository.take_deliveries(10) == []


def test_places_that_take_at_once_keep_to_it_together(database: Database) -> None:
    told(database, "many", "dead.example", 8)
    found = all_at_once(database, [lambda repository: len(repository.take_deliveries(4))] * 4)
    assert sum(found) == 2
