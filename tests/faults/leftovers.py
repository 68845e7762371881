"""What lies about when all is over: files that no row names, scratch folders, files half written."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

from tests.faults.stack import Stack
from tests.stores import files_in
from worker.context import Services
from worker.periodic.garbage_collector import GarbageCollector

_DAYS = 3 * 86_400.0  # older than whatever the garbage collector spares


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def before_the_janitor(stack: Stack) -> list[str]:
    """Files of the store, half written ones included, that belong to no job: what the killed have left for it."""
    lying = files_in(stack.settings.artifacts_dir)
    with stack.database.read() as repository:
        return sorted(repository.unnamed(lying))


def after_the_janitor(stack: Stack) -> list[str]:
    """What it does not remove, as if days had passed; no listed file is among what it removes, or `judge` sees it."""
    _age(stack.settings.home)
    GarbageCollector(Services(stack.settings, stack.database, stack.store, worker_id="janitor", device="cpu")).collect()
    scratch = files_in(stack.settings.runs_dir)
    halves = [str(path) for path in stack.settings.home.rglob(".*.part")]
    return [*before_the_janitor(stack), *scratch, *halves]


def _age(folder: Path) -> None:
    """Lets everything below look as if nobody had touched it for days."""
    then = time.time() - _DAYS
    for path in folder.rglob("*"):
        if path.is_file() and "redis" not in path.relative_to(folder).parts:
            os.utime(path, (then, then))
