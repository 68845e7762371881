"""What the routes are handed: the parts of the running service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from api.queue import Doorbell
from api.watch import Watcher
from jobs.artifacts import LocalStore
from jobs.db import Database
from jobs.settings import Settings


@dataclass(frozen=True)
class Context:
    """The parts of the running service."""

    settings: Settings
    database: Database
    store: LocalStore
    doorbell: Doorbell
    watcher: Watcher


async def _context(request: Request) -> Context:
    # async although nothing waits: FastAPI sends a plain function to a thread, which costs more than the look-up
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(_context)]
