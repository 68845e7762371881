"""What a service of version 5558133 has left: `make.py` says how."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).with_name("made_by_5558133")


def lay_out(home: Path) -> None:
    """Puts database and files where a service with this `KD_HOME` has them."""
    home.mkdir(exist_ok=True)
    shutil.copytree(FOLDER / "artifacts", home / "artifacts")
    with sqlite3.connect(home / "distillery.db") as database:
        database.executescript((FOLDER / "database.sql").read_text())
    database.close()


def specs() -> dict[str, dict[str, Any]]:
    """The resolved spec of each job, by its id."""
    with sqlite3.connect(":memory:") as database:
        database.executescript((FOLDER / "database.sql").read_text())
        found = {job: json.loads(spec) for job, spec in database.execute("SELECT id, spec FROM jobs ORDER BY id")}
    database.close()
    return found


def job_of(kind: str, name: str | None = None) -> str:
    """The id of the job of this kind, and name where there are several."""
    [found] = [job for job, spec in specs().items() if spec["kind"] == kind and name in (None, spec["name"])]
    return found


def file(job: str, name: str) -> Path:
    """What a job has left; `name` may be a pattern."""
    [found] = (FOLDER / "artifacts" / job).glob(f"1/{name}")
    return found


def trained_report() -> str:
    """The report of the job that trained."""
    return file(job_of("distill", "trained"), "report.json").read_text()
