"""`python -m jobs.migrations`, as an upgrade runs it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.database import Database
from jobs.migrations.__main__ import main
from jobs.migrations.upgrade import NEWEST
from tests.jobs.migrations.rows import engine_of, fill, job_id, read_all
from tests.postgres import Postgres

ROOT = Path(__file__).parents[3]


def start(url: str, *arguments: str) -> subprocess.Popen[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("KD_")}
    return subprocess.Popen(
        [sys.executable, "-m", "jobs.migrations", *arguments],
        cwd=ROOT, env=env | {"KD_DATABASE_URL": url}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command in this process; the status, and what was said."""

    def run(url: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["jobs.migrations", *arguments])
        monkeypatch.setenv("KD_DATABASE_URL", url)
        status = main()
        said, complained = capsys.readouterr()
        return status, said.strip(), complained.strip()

    return run


def test_forward_back_and_where_the_tables_are(run: Run, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'distillery.db'}"
    end = f"; this program's newest is {NEWEST}"
    assert run(url, "current") == (0, f"the tables are at revision none{end}", "")
    assert run(url, "upgrade") == (0, f"the tables are at revision {NEWEST}, from none{end}", "")
    assert run(url, "upgrade") == (0, f"the tables are at revision {NEWEST}{end}", "")
    back = run(url, "downgrade", "0003")
    assert back == (0, f"the tables are at revision 0003, from {NEWEST}{end}", "")
    status, said, complained = run(url, "downgrade", "0099")
    assert (status, said) == (1, "")
    assert complained.startswith("there is no revision '0099'; there are 0001, 0002")


def test_two_at_once_do_it_once(postgres: Postgres) -> None:
    url = postgres.create("two_at_once")
    engine = engine_of(url)
    fill(engine, "0001")
    both = [start(url, "upgrade") for _ in range(2)]
    assert [(process.communicate(timeout=60)[1], process.returncode) for process in both] == [("", 0)] * 2
    assert (job_id("queued"),) in read_all(engine)["jobs"]
    engine.dispose()
    postgres.drop("two_at_once")


def test_a_database_that_still_starts_is_waited_for(postgres: Postgres) -> None:
    late = Postgres()
    try:
        url = late.create("late")
        late.stop()
        process = start(url, "upgrade")
        late.start()
        assert process.communicate(timeout=90)[1] == ""
        assert process.returncode == 0
        database = Database(url)
        assert database.revision() == NEWEST
        database.dispose()
    finally:
        late.close()


@pytest.mark.parametrize(
    ("url", "status", "says"),
    [
        ("postgresql://u:hush@127.0.0.1:1/d", 1, "the database did not answer within 0 s"),
        ("mysql://u:hush@h/d", 2, "KD_DATABASE_URL asks for 'mysql'"),
    ],
)
def test_a_database_that_cannot_be_had_is_told(run: Run, url: str, status: int, says: str) -> None:
    ended, said, complained = run(url, "upgrade", "--wait", "0")
    assert (ended, said) == (status, "")
    assert complained.startswith(says)
    assert "hush" not in complained
