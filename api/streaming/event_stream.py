"""A job's events as a stream (server-sent events, as browsers' EventSource reads them)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass

from sqlalchemy.exc import SQLAlchemyError

from api.dependencies.change_notifier import GONE
from api.dependencies.context import Context
from api.dependencies.fair_share import FairShareResponse
from api.presenters.resource_views import event_view
from jobs.tables import Job, JobEvent

log = logging.getLogger(__name__)

KEEP_ALIVE_SECONDS = 15.0  # proxies close what is silent for 30 to 60 s
_RETRY_MS = 2000
_MOST_EVENTS = 500
_END = "ended"
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "Vary": "Accept"}


@dataclass(frozen=True)
class _Batch:
    """Some events as they are sent, the number of the last one, and whether more are there or none will come."""

    text: bytes
    last: int
    more: bool
    ended: bool


def event_stream(context: Context, job: Job, after: int, owner: str) -> FairShareResponse:
    """All events of `job` above `after`, then each new one, until the one that ends it. 503 when too many are open.

    Args:
        owner: who asks.
    """
    pieces = _send(context, job.id, job.version, after)
    return FairShareResponse(
        pieces, context.change_notifier.places, owner, headers=_HEADERS, media_type="text/event-stream"
    )


async def _send(context: Context, job_id: str, version: int, after: int) -> AsyncGenerator[bytes]:
    change_notifier = context.change_notifier
    yield f"retry: {_RETRY_MS}\n\n".encode()
    while not change_notifier.closing:
        try:
            batch = await change_notifier.read((job_id, after), lambda start=after: _read(context, job_id, start))  # type: ignore[misc]
        except SQLAlchemyError as error:
            log.warning("cannot read events for a stream: %s", type(error).__name__)
            await asyncio.sleep(_RETRY_MS / 1000)
            yield b": still here\n\n"
            continue
        if batch.text:
            yield batch.text
            after = batch.last
        if batch.ended:
            return
        if batch.more:
            continue
        while (
            heard := await change_notifier.changed(job_id, version, KEEP_ALIVE_SECONDS)
        ) is None and not change_notifier.closing:
            yield b": still here\n\n"
        if heard is None or heard == GONE:
            return
        version = heard


def _read(context: Context, job_id: str, after: int) -> _Batch:
    with context.database.read() as repository:
        events = repository.events(job_id, after, _MOST_EVENTS)
    if not events:
        return _Batch(b"", after, more=False, ended=False)
    last = events[-1]
    text = "".join(_block(event) for event in events)
    return _Batch(text.encode(), last.seq, more=len(events) == _MOST_EVENTS, ended=last.type == _END)


def _block(event: JobEvent) -> str:
    # JSON text has no line breaks, so it is one `data` line
    return f"id: {event.seq}\nevent: {event.type}\ndata: {event_view(event).model_dump_json()}\n\n"
