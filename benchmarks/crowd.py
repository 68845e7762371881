"""The database of a large service, made up: workers at work, jobs that wait, and many more that have ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import psycopg

from jobs.database import Database
from jobs.tables import Job
from kd_engine.jobspec import JobSpec

TOKEN = 1
_SPEC = JobSpec.model_validate({"dataset": "digits", "teacher": "mnist_cnn", "student": "softmax_regression"})
_NOW = "floor(extract(epoch FROM now()) * 1000)::bigint"
_HELD = {
    "state": "'running'",
    "token": str(TOKEN),
    "attempt": "1",
    "worker": "'worker-' || n",
    "lease_expires": f"{_NOW} + 3600000",
    "claimed_at": _NOW,
    "started_at": _NOW,
}
_FREE = {"state": "'queued'", "token": "0", "worker": "NULL", "lease_expires": "NULL", "last_event": "0"}


@dataclass(frozen=True)
class Crowd:
    """How many there are, and what they are called.

    Attributes:
        url: of the PostgreSQL database; empty before `gather`.
    """

    url: str
    running: int = 1_000
    ended: int = 100_000
    queued: int = 0

    def gather(self) -> None:
        """Makes the tables and fills them."""
        database = Database(self.url)
        try:
            database.migrate()
            with database.write() as repository:
                template = repository.create(_SPEC).id
        finally:
            database.dispose()
        with psycopg.connect(self.url, autocommit=True) as connection:
            self._copy(connection, template, "E", self.ended, {"state": "'succeeded'", "finished_at": _NOW})
            self._copy(connection, template, "R", self.running, _HELD)
            self._copy(connection, template, "Q", self.queued, {})
            connection.execute("DELETE FROM jobs WHERE id = %s", (template,))
            connection.execute("VACUUM ANALYZE")

    def _copy(
        self, connection: psycopg.Connection, template: str, letter: str, count: int, changed: Mapping[str, str]
    ) -> None:
        same = {column.name: f'"{column.name}"' for column in Job.__table__.columns}
        values = {**same, "id": f"'{_prefix(letter)}' || n", **changed}
        names, texts = ", ".join(f'"{name}"' for name in values), ", ".join(values.values())
        numbers = f"generate_series(0, {count - 1}) AS n"
        statement = f"INSERT INTO jobs ({names}) SELECT {texts} FROM jobs, {numbers} WHERE id = %s"
        connection.execute(statement.encode(), (template,))

    def requeue(self) -> None:
        """Puts the jobs that waited back into the queue, as if nobody had taken them."""
        values = ", ".join(f"{name} = {text}" for name, text in _FREE.items())
        like = f"id LIKE '{_prefix('Q')}%'"
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"UPDATE jobs SET {values} WHERE {like}".encode())
            connection.execute(f"DELETE FROM job_events WHERE job_{like}".encode())
            connection.execute("VACUUM ANALYZE jobs")  # or the next round would pay for this one


def running_id(number: int) -> str:
    """The id of the job of worker `number`."""
    return f"{_prefix('R')}{number}"


def _prefix(letter: str) -> str:
    return f"job_{letter}"
