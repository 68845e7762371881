"""Garbage collector: removes jobs whose time is over, files that no row names, and what killed processes left.

Only what this service made, and only what has not been touched for long. Safe to run in several places at once.
"""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

from distillery.states import JobState
from jobs.errors import JobNotFound, StoreUnavailable
from jobs.ids import is_job_id, names_files
from kd_engine.catalog import UNPACKED
from worker.context import Services

log = logging.getLogger(__name__)
_DAY_SECONDS = 86_400.0
_MONTH_SECONDS = 30 * _DAY_SECONDS
# A file is stored some seconds before the row that names it. While the database is away that takes longer, but never
# longer than a lease, without which nothing is listed.
_OLD_SECONDS = 3600.0
_JOBS_AT_ONCE = 5  # each with up to 20,000 lines of a log, which takes up to a quarter of a second
_REST_SECONDS = 0.1
_MESSAGES_AT_ONCE = 500
_KEYS_AT_ONCE = 500


class GarbageCollector:
    """This worker's part in keeping the place clean."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings, self._database, self._store = services.settings, services.database, services.store

    def purge(self) -> None:
        """Deletes jobs that ended longer ago than they are kept, with their files, and old messages; all of them.

        Some at a time, with a rest as long as the work: where there is one writer at a time, others get their turn.
        """
        working = True
        while working and not self._services.leaving.is_set():
            began = time.monotonic()
            working = self._purge_some()
            if working:
                self._services.leaving.wait(max(_REST_SECONDS, time.monotonic() - began))

    def _purge_some(self) -> bool:
        """Whether there may be more."""
        days = self._settings.keep_days
        with self._database.write() as repository:
            jobs, keys = repository.purge_ended(None if days is None else days * _DAY_SECONDS, _JOBS_AT_ONCE)
            messages = repository.purge_deliveries(_MONTH_SECONDS, _MESSAGES_AT_ONCE)
        self._delete(keys)
        if jobs:
            log.info("deleted %d jobs whose time was over: %s", len(jobs), ", ".join(jobs))
        return len(jobs) >= _JOBS_AT_ONCE or messages >= _MESSAGES_AT_ONCE

    def forget_workers(self) -> None:
        """Takes workers off the list that were not heard for a day."""
        with self._database.write() as repository:
            repository.forget_silent_workers(_DAY_SECONDS)

    def collect(self) -> None:
        """Removes files that no row names, scratch folders of attempts that are over, and files half written."""
        old = max(_OLD_SECONDS, 2 * self._settings.lease_seconds)
        old_keys = self._old_keys(old)
        while keys := list(islice(old_keys, _KEYS_AT_ONCE)):
            with self._database.read() as repository:
                unnamed = repository.unnamed(keys)
            self._delete(unnamed)
            if unnamed:
                log.info("deleted %d files that no job names", len(unnamed))
        self._clear_runs()
        self._store.clear_unfinished(old)
        self._clear_uploads()
        self._clear_datasets(old)
        for part in self._settings.cache_dir.rglob(".*.part"):
            if _age(part) > old:
                _remove(part)

    def _clear_uploads(self) -> None:
        """Removes files in parts that nobody has sent more of for a day, and forgets those that nothing came of."""
        for name in self._store.parts.clear(_DAY_SECONDS):
            with self._database.write() as repository:
                repository.end_upload(name)
        after = ""
        while True:
            with self._database.read() as repository:
                overdue = repository.overdue_uploads(after, _KEYS_AT_ONCE)
            if not overdue:
                return
            # what an earlier version of this program writes to has no time of its own
            empty = [name for name in overdue if not self._store.parts.arrived(name)]
            with self._database.write() as repository:
                repository.end_overdue_uploads(empty)
            after = overdue[-1]

    def _old_keys(self, old: float) -> Iterator[str]:
        """Of files of jobs, and of what was sent, by the look of their keys."""
        return (key for key, age in self._store.ages() if age > old and names_files(key.partition("/")[0]))

    def _delete(self, keys: Iterable[str]) -> None:
        for key in keys:
            try:
                self._store.delete(key)
            except (OSError, StoreUnavailable) as error:
                log.warning("the file %s could not be removed: %s", key, error)

    def _clear_runs(self) -> None:
        """Removes the folders of attempts that no longer run: their worker was killed before it could."""
        for folder in self._settings.runs_dir.glob("job_*/*"):
            job_id, token = folder.parent.name, folder.name
            if not (is_job_id(job_id) and token.isdecimal()) or job_id in self._services.in_hand:
                continue
            # a trainer may outlive its claim by less than a lease
            if _newest(folder) < self._settings.lease_seconds or self._runs(job_id, int(token)):
                continue
            log.info("removing the scratch folder of attempt %s of %s", token, job_id)
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                folder.parent.rmdir()

    def _clear_datasets(self, old: float) -> None:
        """Removes what this machine has unpacked of data sets that were deleted."""
        unpacked = [path for path in (self._settings.cache_dir / UNPACKED).glob("[0-9a-f]*") if _age(path) > old]
        if not unpacked:
            return
        with self._database.read() as repository:
            known = repository.dataset_sums()
        for folder in unpacked:
            if folder.name not in known:
                log.info("removing what was unpacked of a data set that is gone")
                shutil.rmtree(folder, ignore_errors=True)

    def _runs(self, job_id: str, token: int) -> bool:
        try:
            with self._database.read() as repository:
                job = repository.get(job_id)
        except JobNotFound:
            return False
        return job.state is JobState.RUNNING and job.token == token


def _remove(part: Path) -> None:
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        part.unlink(missing_ok=True)


def _newest(folder: Path) -> float:
    """Seconds since anything in the folder was written."""
    return min(_age(path) for path in (folder, *folder.glob("*")))


def _age(path: Path) -> float:
    """Seconds since the file was written; 0 when it is gone."""
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0
