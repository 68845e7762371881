"""Tells of jobs that changed: one query every half a second for all event streams and long polls, however many.

Who waits holds neither a thread nor a connection to the database.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

from fastapi import Request
from sqlalchemy.exc import SQLAlchemyError

from api.dependencies.fair_share import FairShare
from jobs.database import Database
from jobs.tables import Job

log = logging.getLogger(__name__)
T = TypeVar("T")

GONE = -1
"""The version of a job that was deleted."""
# Threads of their own: however many streams read at once, the rest of the api keeps all of its threads.
_THREADS = 4


@dataclass(eq=False)
class _Waiter:
    """Wishes to hear of a version above `version`."""

    version: int
    heard: asyncio.Future[int | None]


class ChangeNotifier:
    """Tells those who wait that a job has changed. All methods but `close` are for the event loop's thread.

    Args:
        places: of those who are here at the same time.
        tick_seconds: time between two queries.
    """

    def __init__(self, database: Database, places: FairShare, tick_seconds: float = 0.5) -> None:
        self.places = places
        self._database, self._tick_seconds = database, tick_seconds
        self._waiters: dict[str, set[_Waiter]] = {}
        self._reads: dict[Any, asyncio.Task[Any]] = {}
        self._closing = False
        self._failing = False
        self._awaited = asyncio.Event()
        self._threads = ThreadPoolExecutor(_THREADS, "watcher")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to look; inside a running event loop."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="watcher")

    @property
    def open(self) -> int:
        """How many are here."""
        return self.places.taken

    @property
    def closing(self) -> bool:
        return self._closing

    async def changed(self, job_id: str, version: int, seconds: float) -> int | None:
        """Waits until the job's version is above `version`.

        Returns:
            That version, `GONE` when the job does not exist (any more), None after so many seconds or at the end.
        """
        if self._closing:
            return None
        waiter = _Waiter(version, asyncio.get_running_loop().create_future())
        self._waiters.setdefault(job_id, set()).add(waiter)
        self._awaited.set()
        try:
            async with asyncio.timeout(seconds):
                return await waiter.heard
        except TimeoutError:
            return None
        finally:
            self._forget(job_id, waiter)

    async def read(self, key: Any, function: Callable[[], T]) -> T:
        """What `function` gives, run in a thread; those who ask with the same key at the same time share one run."""
        task: asyncio.Task[T] | None = self._reads.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._in_thread(function))
            self._reads[key] = task
            task.add_done_callback(lambda done: self._read_is_over(key, done))
        return await asyncio.shield(task)  # one who leaves must not take the others' answer with it

    def wake_all(self) -> None:
        """Tells everyone that the end has come, so that streams close and their callers go to the next process."""
        self._closing = True
        for waiters in self._waiters.values():
            for waiter in waiters:
                _tell(waiter, None)

    async def stop(self) -> None:
        """Ends the task and the threads."""
        self.wake_all()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._threads.shutdown(wait=False)

    async def _run(self) -> None:
        while True:
            await self._awaited.wait()
            await self._tick()
            await asyncio.sleep(self._tick_seconds)

    async def _tick(self) -> None:
        asked = {job_id: list(waiters) for job_id, waiters in self._waiters.items()}
        if not asked:
            self._awaited.clear()
            return
        try:
            versions = await self._in_thread(lambda: self._versions(list(asked)))
        except SQLAlchemyError as error:
            if not self._failing:  # once, not twice a second while the database is away
                log.warning("cannot look for changes of jobs: %s", type(error).__name__, exc_info=error)
            self._failing = True
            return
        self._failing = False
        for job_id, waiters in asked.items():
            version = versions.get(job_id, GONE)
            for waiter in waiters:
                if version == GONE or version > waiter.version:
                    _tell(waiter, version)

    def _versions(self, job_ids: list[str]) -> dict[str, int]:
        with self._database.read() as repository:
            return repository.versions(job_ids)

    async def _in_thread(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, function)

    def _read_is_over(self, key: Any, task: asyncio.Task[Any]) -> None:
        del self._reads[key]
        if not task.cancelled():
            task.exception()  # whoever still waits hears of it; when nobody does, it is no news

    def _forget(self, job_id: str, waiter: _Waiter) -> None:
        waiters = self._waiters[job_id]
        waiters.discard(waiter)
        if not waiters:
            del self._waiters[job_id]


async def wait_for_change(
    request: Request, change_notifier: ChangeNotifier, job: Job, seconds: float, owner: str
) -> None:
    """Waits until the job is another than `job`, for so long at most, and no longer than the caller does.

    Raises:
        Problem: 503, too many wait already, or too many of this owner.
    """
    with change_notifier.places.place(owner):
        tasks = [
            asyncio.ensure_future(change_notifier.changed(job.id, job.version, seconds)),
            asyncio.ensure_future(_left(request)),
        ]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _left(request: Request) -> None:
    """Returns when the caller has gone."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _tell(waiter: _Waiter, version: int | None) -> None:
    if not waiter.heard.done():
        waiter.heard.set_result(version)
