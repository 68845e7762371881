"""The application: `python -m api`, or `uvicorn api.app:create_app --factory --timeout-graceful-shutdown 10`.

Under a server of your own, open event streams end when its time for a graceful end is over, and the size of a request's
head, its deadline and the number of connections are for that server to bound.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api.dependencies.change_notifier import ChangeNotifier
from api.dependencies.context import Context
from api.dependencies.fair_share import FairShare
from api.dependencies.wakeup_producer import WakeupProducer, make_producer
from api.http import errors
from api.http.security_headers import SecurityHeaders
from api.middleware.access_log import AccessLog, write_down
from api.middleware.auth import Authentication
from api.middleware.origins import Origins
from api.middleware.tracing import Tracing
from api.routes import ROUTERS, openapi
from api.server.limits import most_connections
from jobs.artifacts import open_store
from jobs.auth import Keyring
from jobs.database import Database
from jobs.reach import check_reach
from jobs.settings import Settings
from jobs.telemetry.spans import open_spans

if TYPE_CHECKING:
    from api.app.metrics import ApiMetrics

VERSION = "0.1.0"


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service over HTTP. Nothing is opened before it starts.

    Args:
        settings: read from the environment when left out.

    Raises:
        jobs.settings.SettingsError: a KD_* variable has a value that cannot be used, or others could reach the service
            and no key is asked for.
    """
    chosen = settings or Settings()
    check_reach(chosen)
    metrics = _metrics(chosen)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        context: Context = await run_in_threadpool(open_context, chosen)
        app.state.context = context
        if metrics is not None:
            metrics.open(context.database, lambda: context.change_notifier.open)
        context.change_notifier.start()
        yield
        await context.change_notifier.stop()
        if metrics is not None:
            await run_in_threadpool(metrics.close)
        await run_in_threadpool(close_context, context)

    app = FastAPI(
        title="Distillery",
        version=VERSION,
        description="Trains small image classifiers from big ones (knowledge distillation).",
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # api/routes/docs.py
        redoc_url=None,
    )
    app.state.routers = ROUTERS
    for router in ROUTERS:
        app.include_router(router)
    # the last one added is the first to see a request
    app.add_middleware(Tracing)
    app.add_middleware(Authentication, keyring=Keyring(chosen.api_keys))
    app.add_middleware(Origins, settings=chosen)
    app.add_middleware(SecurityHeaders)
    app.state.metrics = metrics
    watching = [*([write_down] if chosen.log_format == "json" else []), *([metrics.answered] if metrics else [])]
    if watching:
        app.add_middleware(AccessLog, heard=watching)
    errors.install(app)
    openapi.install(app, keys=bool(chosen.api_keys))
    return app


def open_context(settings: Settings) -> Context:
    """The parts of the service, with the tables brought up to date.

    Raises:
        jobs.settings.SettingsError: the artifact store cannot be used.
        sqlalchemy.exc.OperationalError: the database cannot be reached.
        jobs.errors.SchemaTooNew: the database belongs to a newer version of this program.
    """
    store = open_store(settings)
    database = Database(settings.database_url, "distillery-api")
    database.migrate()
    wakeup_producer = WakeupProducer(make_producer(settings.broker_url))
    places = partial(FairShare, shared=len({key.owner for key in settings.api_keys}) > 1)
    streams = min(settings.max_streams, most_connections(settings.max_connections) * 3 // 4)
    waiting = places(streams, what="event streams and waiting reads", setting="KD_MAX_STREAMS", code="too_many_streams")
    sent = places(settings.max_uploads, what="files on their way", setting="KD_MAX_UPLOADS", code="too_many_uploads")
    taken = places(settings.max_downloads, what="downloads", setting="KD_MAX_DOWNLOADS", code="too_many_downloads")
    change_notifier = ChangeNotifier(database, waiting)
    return Context(
        settings, database, store, wakeup_producer, change_notifier, sent, taken, open_spans("distillery-api")
    )


def close_context(context: Context) -> None:
    """Rings for what was just accepted, then closes the database."""
    context.wakeup_producer.close()
    context.spans.close()
    context.database.dispose()


def _metrics(settings: Settings) -> ApiMetrics | None:
    if settings.metrics_port is None:
        return None
    from api.app.metrics import ApiMetrics  # with a server of its own, which only those need who want metrics

    return ApiMetrics(settings)
