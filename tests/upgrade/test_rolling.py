"""A rolling upgrade: the tables first, then one program after the other, while jobs run."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from jobs.migrations.upgrade import NEWEST
from standalone.errors import CannotStart
from standalone.redis_server import RedisServer
from tests.conftest import skip_unless_ci
from tests.kd_engine.small_runs import DIGITS
from tests.postgres import Postgres
from tests.upgrade.versions import ROOT, Version, previous_version, wait_until

pytestmark = [pytest.mark.service, pytest.mark.slow, pytest.mark.timeout(300)]
SHORT: dict[str, Any] = DIGITS | {"baseline": False}
LONG: dict[str, Any] = SHORT | {"student": "resnet20", "training": {"epochs": 6, "batch_size": 128}}


@pytest.fixture
def versions(tmp_path: Path, postgres: Postgres) -> Iterator[tuple[Version, Version]]:
    """The one before and this one, on one database, one Redis and one folder."""
    code = previous_version(tmp_path / "previous")
    with ExitStack() as exits:
        redis = exits.enter_context(RedisServer(tmp_path / "redis"))
        try:
            server = subprocess.Popen(redis.program({}).command, stdout=subprocess.DEVNULL)
        except CannotStart as error:
            skip_unless_ci(str(error))
        exits.callback(server.wait, 10)
        exits.callback(server.terminate)
        url = postgres.create("rolling")
        exits.callback(postgres.drop, "rolling")
        settings = {
            "home": tmp_path / "home", "database_url": url, "broker_url": redis.url, "device": "cpu", "threads": 1,
            "download": False, "checkpoint_seconds": 0.5, "sweep_seconds": 1,
        }  # fmt: skip
        made = [Version(path, tmp_path / f"{name}.log", settings) for name, path in (("old", code), ("new", ROOT))]
        for version in made:
            exits.callback(version.stop)
        yield made[0], made[1]


def post(api: httpx.Client, body: dict[str, Any]) -> str:
    answer = api.post("/jobs", json=body)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def workers_of(api: httpx.Client, job_id: str) -> list[str]:
    """Who claimed the job, in order, by process id."""
    events = api.get(f"/jobs/{job_id}/events", headers={"accept": "application/json"}).json()["events"]
    return [event["data"]["worker"].rpartition("-")[2] for event in events if event["type"] == "claimed"]


def wait_for_success(api: httpx.Client, job_id: str) -> None:
    def ended() -> bool:
        job = api.get(f"/jobs/{job_id}").json()
        assert job["state"] not in ("failed", "cancelled"), job
        return bool(job["state"] == "succeeded")

    wait_until(ended)
    assert api.get(f"/jobs/{job_id}/report").status_code == 200
    listed = api.get(f"/jobs/{job_id}/artifacts").json()["artifacts"]
    assert "student.safetensors" in {row["name"] for row in listed}


def test_both_versions_finish_each_others_jobs(versions: tuple[Version, Version]) -> None:
    old, new = versions
    old_api, old_worker = old.start_api(), old.start("worker")

    assert new.start("jobs.migrations", "upgrade").wait(60) == 0
    new_api = new.start_api()
    by_old = post(new_api, SHORT)  # the new API's, run by the old worker on newer tables
    wait_for_success(new_api, by_old)
    assert workers_of(new_api, by_old) == [str(old_worker.pid)]

    handed_over = post(new_api, LONG)  # begun by the old worker, ended by the new one
    wait_until(lambda: len(new_api.get(f"/jobs/{handed_over}/metrics").json()["metrics"]) >= 3)
    new_worker = new.start("worker")
    old_worker.terminate()
    wait_for_success(old_api, handed_over)
    assert workers_of(new_api, handed_over) == [str(old_worker.pid), str(new_worker.pid)]
    old_worker.wait(30)

    by_new = post(old_api, SHORT)  # the old API's, run by the new worker
    wait_for_success(old_api, by_new)
    assert workers_of(old_api, by_new) == [str(new_worker.pid)]

    back = new.start("jobs.migrations", "current")
    assert back.wait(60) == 0
    assert f"at revision {NEWEST};" in (new.log.read_text())
