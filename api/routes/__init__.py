"""The endpoints, a file for each kind of thing."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import (
    actions,
    artifacts,
    catalog,
    datasets,
    docs,
    events,
    health,
    jobs,
    logs,
    metrics,
    models,
    sweeps,
    uploads,
    usage,
)

ROUTERS: tuple[APIRouter, ...] = (
    jobs.router, sweeps.router, actions.router, events.router, metrics.router, logs.router, artifacts.router,
    usage.router, datasets.router, models.router, uploads.router, catalog.router, health.router, docs.router,
)  # fmt: skip
