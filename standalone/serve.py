"""`python -m standalone serve`: the service until somebody stops it."""

from __future__ import annotations

import time

from distillery.cli.console import Console
from jobs.settings import Settings
from standalone.errors import Stopped
from standalone.service import running_service
from standalone.signals import StopSignals

_TICK_SECONDS = 0.2


def serve(settings: Settings, console: Console) -> None:
    """Runs the service until SIGINT or SIGTERM. Jobs that are queued or running then go on at the next start.

    Raises:
        CannotStart: see `running_service`.
    """
    with StopSignals() as signals:
        try:
            console.line(f"starting; everything is kept in {settings.home}, logs in {settings.home / 'logs'}")
            with running_service(settings, console, signals) as (supervisor, url):
                console.line(f"ready at {url} (documentation: {url}/docs); Ctrl-C stops it")
                while not signals.asked():
                    supervisor.tick()
                    time.sleep(_TICK_SECONDS)
                console.line("stopping; jobs that are not done go on at the next start (once more to stop at once)")
        except Stopped:
            pass
        console.line("stopped")
