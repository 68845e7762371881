"""Is the process alive, and can the service do its work."""

from __future__ import annotations

import logging
from collections.abc import Callable

from fastapi import APIRouter, Response
from kombu.exceptions import OperationalError as BrokerError
from sqlalchemy.exc import SQLAlchemyError

from api.dependencies.context import Context, ContextDep
from api.http.errors import Problem
from api.http.responses import answer, problems
from api.presenters.resource_views import workers_part
from distillery.resources import Health, Part, Readiness
from jobs.errors import StoreUnavailable
from jobs.repository.positions import HEARD_SECONDS

log = logging.getLogger(__name__)
router = APIRouter(tags=["health"])


@router.get("/healthz", summary="Alive?", responses={200: {"model": Health}, **problems(free=True)})
async def read_health() -> Response:
    """Says only that the process answers: async, so that it does even when every thread is taken."""
    return answer(Health(status="alive"))


@router.get("/readyz", summary="Ready?", responses={200: {"model": Readiness}, **problems(free=True)})
async def read_readiness(context: ContextDep) -> Response:
    """Database, broker, store of files, and workers heard within 60 s; 503 with the state of each otherwise.

    Nobody needs a key for it, so all who ask at the same time share one look.
    """
    parts = await context.change_notifier.read("readyz", lambda: _parts(context))
    missing = [name for name, part in parts.items() if not part.ok]
    if missing:
        raise Problem(
            "not_ready",
            f"Not ready: {', '.join(missing)}. Jobs are still accepted while the database answers.",
            parts={name: part.model_dump() for name, part in parts.items()},
        )
    return answer(Readiness(status="ready", parts=parts))


def _parts(context: Context) -> dict[str, Part]:
    return {
        "database": _part(context.database.ping, "the database"),
        "broker": _part(context.wakeup_producer.ping, "the broker"),
        "store": _part(context.store.ping, "the store of files"),
        "workers": _workers(context),
    }


def _part(ping: Callable[[], None], what: str) -> Part:
    try:
        ping()
    except (SQLAlchemyError, BrokerError, StoreUnavailable, OSError) as error:
        # the error may hold a URL with a password, so it stays in the log
        log.warning("%s does not answer: %s", what, error)
        return Part(ok=False, detail=f"{what} does not answer.")
    return Part(ok=True, detail=f"{what} answers.")


def _workers(context: Context) -> Part:
    try:
        with context.database.read() as repository:
            return workers_part(repository.workers_seen(HEARD_SECONDS), HEARD_SECONDS, repository.stalled())
    except SQLAlchemyError:
        return Part(ok=False, detail="unknown while the database does not answer.")
