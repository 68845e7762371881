"""What a service in use has in its tables, at any revision: jobs in all states, and all that belongs to them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, MetaData, create_engine, select, text

from jobs.database import Database
from tests.jobs.samples import a_spec

FOLDER = Path(__file__).parents[3] / "jobs" / "migrations"
STATES = ("queued", "running", "paused", "succeeded", "failed", "cancelled")
_T = 1_700_000_000_000  # milliseconds since 1970
_FAR = 4_000_000_000_000
_SHA = "a" * 64


def job_id(state: str) -> str:
    """Of the job that is in this state."""
    return f"job_{STATES.index(state):026d}"


def _job(state: str) -> dict[str, Any]:
    ended, begun = state in STATES[3:], state != "queued"
    reason = {"succeeded": "completed", "failed": "worker_lost", "cancelled": "cancelled"}.get(state)
    return {
        "id": job_id(state), "name": f"a {state} one", "state": state, "dataset": "mnist",
        "spec": a_spec(labels={"team": "vision"}).to_json(), "student": "softmax_regression", "device": "auto",
        "version": 7, "last_event": 2, "attempt": int(begun), "lost_attempts": 2 if state == "failed" else 0,
        "token": 3 * begun, "worker": "w-1" if state == "running" else None,
        "lease_expires": _FAR if state == "running" else None, "cancel_requested": False,
        "pause_requested": False, "progress": {"fraction": 0.5} if begun else None,
        "metrics": {"val_accuracy": 0.9} if begun else None, "end_reason": reason,
        "end_detail": "three attempts were lost" if state == "failed" else None, "created_at": _T, "queued_at": _T,
        "rung_at": _T, "started_at": _T if begun else None, "finished_at": _T if ended else None,
        # since 0002
        "owner": "local", "rank": -5 if state == "queued" else 0, "keep_seconds": 86_400, "planned_epochs": 12,
        "expires_at": None, "claimed_at": _T if state == "running" else None, "ran_ms": 1000 * begun,
        "retry_of": None,
        # since 0004
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "tracestate": "a=1",
        # since 0007
        "stalled_since": _T if state == "running" else None, "end_cause": "stalled" if state == "failed" else None,
        # since 0008
        "warnings": [{"code": "batch_of_one", "pointer": "/training/batch_size", "message": "one"}],
        # since 0009
        "names": {"dataset": {"id": f"ds_{1:026d}", "name": "flowers"}},
        # since 0010
        "queue_ms": 60_000,
        # since 0011
        "kind": "sweep" if state == "paused" else None,
    }  # fmt: skip


def _artifact(state: str, name: str, kind: str) -> dict[str, Any]:
    of = job_id(state)
    return {
        "job_id": of, "name": name, "kind": kind, "media_type": "application/octet-stream", "size": 3,
        "sha256": _SHA, "key": f"{of}/1/{name}", "created_at": _T,
    }  # fmt: skip


ROWS: dict[str, list[dict[str, Any]]] = {
    "jobs": [_job(state) for state in STATES],
    "job_labels": [{"job_id": job_id(state), "key": "team", "value": "vision"} for state in STATES],
    "idempotency_keys": [
        {"owner": "local", "key": "monday", "body_sha256": _SHA, "job_id": job_id("queued"), "created_at": _T},
        {"owner": "local", "key": "tuesday", "body_sha256": _SHA, "job_id": job_id("failed"), "created_at": _T},
    ],
    "job_events": [
        {"job_id": job_id(state), "seq": seq, "attempt": 0, "type": kind, "data": {"n": seq}, "at": _T + seq}
        for state in STATES
        for seq, kind in ((1, "created"), (2, "claimed"))
    ],
    "metrics": [
        {"job_id": job_id("running"), "phase": phase, "repeat": 0, "epoch": epoch, "values": {"loss": 1.5}}
        for phase in ("teacher", "student")
        for epoch in (1, 2)
    ],
    # since 0011
    "trial_metrics": [
        {"job_id": job_id("paused"), "phase": "student", "trial": trial, "repeat": 0, "epoch": 1, "values": {"loss": 1}}
        for trial in (0, 1)
    ],
    "artifacts": [
        _artifact("running", "checkpoint-3-1.safetensors", "checkpoint"),
        _artifact("paused", "checkpoint-3-1.safetensors", "checkpoint"),
        _artifact("succeeded", "student.safetensors", "result"),
        _artifact("succeeded", "report.json", "result"),
    ],
    "workers": [{"id": "w-1", "device": "cpu", "job_id": job_id("running"), "started_at": _T, "seen_at": _T,
                 "lacks": None}],
    # since 0002
    "owners": [{"name": "local", "served_at": _T}, {"name": "vision", "served_at": None}],
    "job_logs": [
        {"job_id": job_id("running"), "seq": seq, "attempt": 1, "line": f"epoch {seq}", "at": _T} for seq in (1, 2)
    ],
    "deliveries": [
        {
            "id": f"msg_{number}", "job_id": job_id("succeeded"), "owner": "local", "url": "https://example.org/",
            "body": "{}", "state": state, "tries": 1, "due_at": _T, "last_error": None, "created_at": _T,
            "settled_at": None if state == "due" else _T,
            # since 0005
            "host": "example.org", "taken_until": _T if state == "due" else None,
        }
        for number, state in enumerate(("due", "delivered", "given_up"))
    ],
    # since 0003
    "datasets": [
        {
            "id": f"ds_{1:026d}", "owner": "local", "name": "flowers", "job_id": job_id("succeeded"), "created_at": _T,
            # since 0009
            "named_at": _T,
        }
    ],
    "models": [
        {
            "id": f"mdl_{1:026d}", "owner": "local", "name": "net", "job_id": job_id("succeeded"), "role": "student",
            "created_at": _T, "named_at": _T,
        }
    ],
    "uploads": [{"id": f"up_{1:026d}", "owner": "local", "created_at": _T, "reserved": 3, "expires_at": _FAR}],
}  # fmt: skip

Rows = dict[str, dict[tuple[Any, ...], dict[str, Any]]]


def engine_of(url: str) -> Engine:
    """An engine for a database that the service uses; a SQLite file's folder is made."""
    engine = create_engine(Database(url).url)
    if engine.url.get_backend_name() == "sqlite":
        Path(str(engine.url.database)).parent.mkdir(parents=True, exist_ok=True)
    return engine


def alembic(connection: Connection, act: Callable[[Config, str], None], revision: str) -> None:
    """Goes to a revision as a developer does, whatever the program itself would allow."""
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.attributes["connection"] = connection
    act(config, revision)


def fill(engine: Engine, revision: str) -> None:
    """Makes the tables as they were at a revision, with rows in every one of them."""
    with engine.begin() as connection:
        alembic(connection, command.upgrade, revision)
        tables = _tables(connection)
        for table in tables.sorted_tables:
            known = [{key: value for key, value in row.items() if key in table.c} for row in ROWS[table.name]]
            connection.execute(table.insert(), known)


def read_all(engine: Engine) -> Rows:
    """All rows of all tables, by primary key."""
    with engine.connect() as connection:
        return {
            table.name: {
                tuple(row[column.name] for column in table.primary_key): dict(row)
                for row in connection.execute(select(table)).mappings()
            }
            for table in _tables(connection).sorted_tables
        }


def _tables(connection: Connection) -> MetaData:
    tables = MetaData()
    tables.reflect(connection, only=lambda name, _: name != "alembic_version")
    return tables


def revision_of(engine: Engine) -> str:
    with engine.connect() as connection:
        return str(connection.scalar(text("SELECT version_num FROM alembic_version")))
