"""Messages to webhooks, kept until they are delivered or given up. Safe to deliver from several places at once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from jobs.clock import now
from jobs.ids import new_id
from jobs.models import Delivery, DeliveryState, Job

# A webhook that answers at once gets a message once. Who delivers it and dies has its message delivered again.
_CLAIM_SECONDS = 60.0
_ERROR_LENGTH = 1000


def announce(session: Session, job_id: str) -> None:
    """Adds a message to each of the job's webhooks about the state that it has just come to."""
    statement = select(Job.owner, Job.name, Job.state, Job.spec, Job.end_reason, Job.finished_at).where(
        Job.id == job_id
    )
    job = session.execute(statement).one()
    for hook in job.spec.get("webhooks", ()):
        ended: datetime = job.finished_at
        data = {"id": job_id, "name": job.name, "state": job.state, "reason": job.end_reason}
        body = {"type": f"job.{job.state}", "timestamp": ended.isoformat(), "data": data}
        row = {
            "id": new_id("msg"),
            "job_id": job_id,
            "owner": job.owner,
            "url": hook["url"],
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
    earliest = select(Delivery.id).where(*due).order_by(Delivery.due_at).limit(limit)
    ids = list(session.scalars(earliest.with_for_update(skip_locked=True)))
    if not ids:
        return []
    statement = (
        update(Delivery)
        .where(Delivery.id.in_(ids), *due)
        .values(due_at=now(_CLAIM_SECONDS), tries=Delivery.tries + 1)
        .returning(Delivery)
        .execution_options(synchronize_session=False)
    )
    return list(session.scalars(statement))


def settle(session: Session, delivery_id: str, error: str | None, again_seconds: float | None) -> None:
    """Notes that a message was taken (no `error`), is to be tried again later, or is given up."""
    values = {"last_error": None if error is None else error[:_ERROR_LENGTH]}
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
