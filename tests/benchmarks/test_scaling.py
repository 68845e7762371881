"""The benchmark of many workers measures, on a tiny scale."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from pathlib import Path

import pytest

from benchmarks import ceilings, race, scaling
from benchmarks.counters import work
from benchmarks.crowd import Crowd, running_id
from distillery.states import JobState
from jobs.database import Database
from jobs.repository import JobFilter
from tests.postgres import Postgres

pytestmark = pytest.mark.service
_NUMBERS = count()


@pytest.fixture
def crowd(postgres: Postgres) -> Iterator[Crowd]:
    name = f"crowd_{next(_NUMBERS)}"
    yield Crowd(postgres.create(name), running=3, ended=5, queued=4)
    postgres.drop(name)


def test_a_crowd_is_what_it_says(crowd: Crowd) -> None:
    crowd.gather()
    database = Database(crowd.url)

    def counted() -> dict[JobState, int]:
        with database.read() as repository:
            found = [job.state for job in repository.list_jobs(JobFilter(), before=None, limit=100)]
        return {state: found.count(state) for state in set(found)}

    expected = {JobState.RUNNING: 3, JobState.SUCCEEDED: 5, JobState.QUEUED: 4}
    assert counted() == expected
    with database.write() as repository:
        assert repository.renew(running_id(2), 1, 60).cancel_requested is False
        taken = [repository.claim_next("worker", "cpu", 60) for _ in range(5)]
    assert [job is None for job in taken] == [False] * 4 + [True]
    crowd.requeue()
    assert counted() == expected
    with database.write() as repository:
        assert repository.claim_next("worker", "cpu", 60) is not None
    database.dispose()


def test_the_ceilings_of_a_database(crowd: Crowd, capsys: pytest.CaptureFixture[str]) -> None:
    ceilings.claims(crowd, (2,), rounds=1)
    ceilings.server_alone(crowd, (1,), rounds=1, seconds=1)
    shown = capsys.readouterr().out
    assert "\n  renewals, by pgbench " in shown
    assert "claim " in shown


def test_what_a_worker_does(crowd: Crowd, capsys: pytest.CaptureFixture[str]) -> None:
    idle = Crowd(crowd.url, running=3, ended=5)
    idle.gather()
    ceilings.questions(idle, rounds=1)
    ceilings.rates(idle, (1,), rounds=1, seconds=0.1)
    shown = capsys.readouterr().out
    for act in ceilings.ACTS:
        assert f"\n  {act.__name__:<22} a second: 1 at once" in shown


def test_a_failed_racer_is_not_passed_over(crowd: Crowd) -> None:
    crowd.gather()
    with pytest.raises(RuntimeError, match="racer"):
        ceilings.rates(crowd, (1,), rounds=1, seconds=0.1)  # somebody who looks for work finds some


def test_the_counters_of_a_server(postgres: Postgres, crowd: Crowd) -> None:
    crowd.gather()
    database = Database(crowd.url)
    with ThreadPoolExecutor(1) as pool:
        found = pool.submit(work, postgres.url("postgres"), database.url.database or "", 0.5)
        while not found.done():
            race.renew(database, 0)
    database.dispose()
    assert found.result().commits > 0
    assert found.result().wal_bytes > 0


def test_rings_and_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ceilings.rings(5, rounds=1)
    ceilings.store(tmp_path, megabytes=1, rounds=1)
    shown = capsys.readouterr().out
    for name in ("rung  ", "heard ", "plain copy", "put       ", "get       "):
        assert f"\n  {name} " in shown


@pytest.mark.slow
def test_a_workers_load(postgres: Postgres, capsys: pytest.CaptureFixture[str]) -> None:
    name, spec = list(scaling.JOBS.items())[1]
    scaling.writes(
        postgres, seconds=0.2, rounds=1, settings={"as set": {"KD_RECORD_SECONDS": "0.1"}}, jobs={name: spec}
    )
    shown = capsys.readouterr().out
    assert "\n  as set\n    idle " in shown
    assert f"\n    {name:<30} " in shown
    assert "\n    connections kept: worker " in shown
