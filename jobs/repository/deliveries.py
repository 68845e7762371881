"""Messages to webhooks, kept until they are delivered or given up. Safe to deliver from several places at once.

Whose turn it is: the owner's with the fewest messages under way, of those the one whose message has waited longest. Of
one owner, and to one host, no more than some are under way in all places together: 96 messages to a host that never
answers hold up neither another owner's nor those of the same owner to another host.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Sequence
from datetime import datetime
from urllib.parse import urlsplit

from sqlalchemy import delete, func, insert, select, text, update
from sqlalchemy.orm import Session

from distillery.states import DeliveryState
from jobs.clock import now
from jobs.ids import new_id
from jobs.tables import Delivery, Job, Owner, exact_reason

# A webhook that answers at once gets a message once. Who delivers it and dies has its message delivered again.
_CLAIM_SECONDS = 60.0
_ERROR_LENGTH = 1000
# At once, in all places together. A host's share is above an owner's: nobody uses up a host that others share.
_OF_OWNER = 4
_OF_OWNER_TO_HOST = 2
_TO_HOST = 8
_HOST_LENGTH = 255
_LOCK = 0x706F_7374  # any number that nobody else in the same PostgreSQL database locks


def announce(session: Session, job_id: str) -> None:
    """Adds a message to each of the job's webhooks about the state that it has just come to."""
    statement = select(Job.owner, Job.name, Job.state, Job.spec, Job.end_reason, Job.end_cause, Job.finished_at).where(
        Job.id == job_id
    )
    job = session.execute(statement).one()
    for hook in job.spec.get("webhooks", ()):
        ended: datetime = job.finished_at
        reason = exact_reason(job.end_reason, job.end_cause)
        data = {"id": job_id, "name": job.name, "state": job.state, "reason": reason}
        body = {"type": f"job.{job.state}", "timestamp": ended.isoformat(), "data": data}
        row = {
            "id": new_id("msg"),
            "job_id": job_id,
            "owner": job.owner,
            "url": hook["url"],
            "host": (urlsplit(hook["url"]).hostname or "")[:_HOST_LENGTH],
            "body": json.dumps(body),
            "state": DeliveryState.DUE,
            "tries": 0,
            "due_at": now(),
            "created_at": now(),
        }
        session.execute(insert(Delivery).values(row))


def take_due(session: Session, limit: int) -> list[Delivery]:
    """Messages whose time has come, for one place to deliver; they come up again when it does not settle them."""
    due = (Delivery.state == DeliveryState.DUE, Delivery.due_at <= now())
    if session.scalar(select(Delivery.id).where(*due).limit(1)) is None:
        return []
    # One at a time, so that two places do not go beyond the limits together. SQLite has one writer at a time anyway.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    ids = _turns(session, limit)
    if not ids:
        return []
    statement = (
        update(Delivery)
        .where(Delivery.id.in_(ids), *due)
        .values(due_at=now(_CLAIM_SECONDS), taken_until=now(_CLAIM_SECONDS), tries=Delivery.tries + 1)
        .returning(Delivery)
        .execution_options(synchronize_session=False)
    )
    return list(session.scalars(statement))


def _turns(session: Session, limit: int) -> list[str]:
    """The ids of at most `limit` messages, in the order of their turns."""
    of_owner, to_host, of_both = Counter[str](), Counter[str](), Counter[tuple[str, str]]()

    def count(owner: str, host: str, more: int) -> None:
        of_owner[owner] += more
        to_host[host] += more
        of_both[owner, host] += more

    for owner, host, under_way in session.execute(_UNDER_WAY):
        count(owner, host, under_way)
    since = _waiting(session, [host for host, many in to_host.items() if many >= _TO_HOST])
    taken: list[str] = []
    for _ in range(2 * limit):  # an owner whose messages all go to hosts that are full costs one of these
        if len(taken) == limit or not since:
            break
        owner = min(since, key=lambda name: (of_owner[name], since[name]))
        full = {host for host, many in to_host.items() if many >= _TO_HOST}
        full |= {host for (name, host), many in of_both.items() if name == owner and many >= _OF_OWNER_TO_HOST}
        first = None if of_owner[owner] >= _OF_OWNER else _first(session, owner, full, taken)
        if first is None:
            del since[owner]
        else:
            message_id, host = first
            taken.append(message_id)
            count(owner, host, 1)
    return taken


_UNDER_WAY = (
    select(Delivery.owner, Delivery.host, func.count())
    .where(Delivery.taken_until > now(), Delivery.due_at > now())
    .group_by(Delivery.owner, Delivery.host)
)


def _waiting(session: Session, full: Collection[str]) -> dict[str, datetime]:
    """Owners with messages that are due, and since when; those to hosts that are full do not count."""
    due = (Delivery.state == DeliveryState.DUE, Delivery.owner == Owner.name, Delivery.due_at <= now())
    first = select(Delivery.due_at).where(*due, Delivery.host.not_in(full)).order_by(Delivery.due_at).limit(1)
    rows = session.execute(select(Owner.name, first.scalar_subquery()))
    return {owner: since for owner, since in rows if since is not None}


def _first(session: Session, owner: str, full: Collection[str], taken: Collection[str]) -> tuple[str, str] | None:
    """The owner's message that has been due for longest, to a host that is not full."""
    due = (Delivery.state == DeliveryState.DUE, Delivery.owner == owner, Delivery.due_at <= now())
    others = (Delivery.host.not_in(full), Delivery.id.not_in(taken))
    found = session.execute(
        select(Delivery.id, Delivery.host).where(*due, *others).order_by(Delivery.due_at, Delivery.id).limit(1)
    ).one_or_none()
    return None if found is None else (found.id, found.host)


def settle(session: Session, delivery_id: str, error: str | None, again_seconds: float | None) -> None:
    """Notes that a message was taken (no `error`), is to be tried again later, or is given up."""
    values = {"taken_until": None, "last_error": None if error is None else error[:_ERROR_LENGTH]}
    if error is None:
        settled = {"state": DeliveryState.DELIVERED, "settled_at": now()}
    elif again_seconds is None:
        settled = {"state": DeliveryState.GIVEN_UP, "settled_at": now()}
    else:
        settled = {"due_at": now(again_seconds)}
    statement = update(Delivery).where(Delivery.id == delivery_id, Delivery.state == DeliveryState.DUE)
    session.execute(statement.values(**values, **settled), execution_options={"synchronize_session": False})


def purge_settled(session: Session, after_seconds: float, limit: int) -> int:
    """Deletes messages that were settled so long ago, oldest first; how many."""
    old = (
        select(Delivery.id).where(Delivery.settled_at < now(-after_seconds)).order_by(Delivery.settled_at).limit(limit)
    )
    ids = list(session.scalars(old))
    session.execute(delete(Delivery).where(Delivery.id.in_(ids)), execution_options={"synchronize_session": False})
    return len(ids)


def of_job(session: Session, job_id: str) -> Sequence[Delivery]:
    """All messages about a job, in the order in which they were made."""
    return list(session.scalars(select(Delivery).where(Delivery.job_id == job_id).order_by(Delivery.id)))
