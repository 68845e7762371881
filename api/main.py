"""The application: `uvicorn api.main:create_app --factory`, or `python -m api`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool

from api import errors, openapi
from api.deps import Context
from api.queue import Doorbell, make_producer
from api.routes import ROUTERS
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.settings import Settings

VERSION = "0.1.0"


def create_app(settings: Settings | None = None) -> FastAPI:
    """The service over HTTP. Nothing is opened before it starts.

    Args:
        settings: read from the environment when left out.

    Raises:
        jobs.settings.SettingsError: a KD_* variable has a value that cannot be used.
    """
    chosen = settings or Settings()

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.context = await run_in_threadpool(open_context, chosen)
        yield
        await run_in_threadpool(close_context, app.state.context)

    app = FastAPI(
        title="Distillery",
        version=VERSION,
        description="Trains small image classifiers from big ones (knowledge distillation).",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.routers = ROUTERS
    for router in ROUTERS:
        app.include_router(router)
    errors.install(app)
    openapi.install(app)
    return app


def open_context(settings: Settings) -> Context:
    """The parts of the service, with the tables brought up to date.

    Raises:
        sqlalchemy.exc.OperationalError: the database cannot be reached.
        jobs.errors.SchemaTooNew: the database belongs to a newer version of this program.
    """
    database = Database(settings.database_url)
    database.migrate()

    def rung(job_ids: Sequence[str]) -> None:
        with database.write() as repository:
            repository.mark_rung(*job_ids)

    doorbell = Doorbell(make_producer(settings.broker_url), rung)
    return Context(settings, database, LocalStore(settings.artifacts_dir), doorbell)


def close_context(context: Context) -> None:
    """Rings for what was just accepted, then closes the database."""
    context.doorbell.close()
    context.database.dispose()
