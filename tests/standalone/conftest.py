from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from distillery.cli.console import Console
from standalone.guard import Guard
from standalone.supervisor import Supervisor


@pytest.fixture
def screen() -> io.StringIO:
    """What the person at the terminal sees."""
    return io.StringIO()


@pytest.fixture
def console(screen: io.StringIO) -> Console:
    return Console(screen)


@pytest.fixture
def make_supervisor(tmp_path: Path, console: Console) -> Iterator[Callable[[], Supervisor]]:
    """Makes supervisors that are stopped after the test."""
    made: list[Supervisor] = []

    def make() -> Supervisor:
        made.append(Supervisor(tmp_path / "logs", console, Guard(grace_seconds=0.5)))
        return made[-1]

    yield make
    for supervisor in made:
        supervisor.stop()
