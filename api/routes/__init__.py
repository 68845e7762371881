"""The endpoints, a file for each kind of thing."""

from __future__ import annotations

from fastapi import APIRouter

from api.routes import artifacts, catalog, health, history, jobs

ROUTERS: tuple[APIRouter, ...] = (jobs.router, history.router, artifacts.router, catalog.router, health.router)
