"""Workers whose files lie in a bucket: nothing in common with the api but the database, and a server that goes away."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from distillery.states import JobState
from jobs.artifacts import ArtifactInfo, s3_client
from jobs.repository import Repository
from jobs.settings import Settings
from tests.api.conftest import serving
from tests.kd_engine.intake.archives import by_class, zipped
from tests.kd_engine.small_runs import DIGITS
from tests.s3 import S3Server, Wire, known
from tests.stores import content
from tests.worker.conftest import LONGER, SLOW, Running, claim, run_next, trainers
from worker.attempt.files import Attempt
from worker.context import Services
from worker.periodic.garbage_collector import GarbageCollector

Submit = Callable[[dict[str, Any]], str]
Start = Callable[[str], Running]


@pytest.fixture
def wire(s3_server: S3Server) -> Iterator[Wire]:
    wire = Wire(s3_server.port)
    yield wire
    wire.cut()


@pytest.fixture
def store_settings(s3_server: S3Server, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    monkeypatch.setattr(s3_client, "_RETRIES", 0)
    with known(wire.url):
        yield {"artifacts_url": s3_server.new_bucket()}


def _checkpoints(services: Services, job_id: str) -> list[str]:
    with services.database.read() as repository:
        return [row.name for row in repository.artifacts(job_id, kind="checkpoint")]


def _student(services: Services, job_id: str) -> str:
    """The sha256 of the stored student, which is the listed one."""
    with services.database.read() as repository:
        listed = repository.artifact(job_id, "student.safetensors")
    assert hashlib.sha256(content(services.store, listed.key)).hexdigest() == listed.sha256
    return listed.sha256


def _sent(client: Any, archive: Path) -> str:
    answer = client.post("/datasets", content=archive.read_bytes())
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


@pytest.mark.slow
def test_api_and_worker_share_a_bucket_and_no_folder(services: Services, tmp_path: Path) -> None:
    own = {"home": tmp_path / "api", "broker_url": "memory://"}
    settings = services.settings
    apart = Settings(**own, database_url=settings.database_url, artifacts_url=settings.artifacts_url)
    np.savez(tmp_path / "arrays.npz", **_arrays())
    with serving(apart) as api:
        pictures = _sent(api.client, zipped(tmp_path / "sent.zip", by_class(40)))
        arrays = _sent(api.client, tmp_path / "arrays.npz")
        for dataset_id in (pictures, arrays):
            assert run_next(services).state is JobState.SUCCEEDED
            assert api.client.get(f"/datasets/{dataset_id}").json()["state"] == "ready"
            answer = api.client.post("/jobs", json=DIGITS | {"dataset": dataset_id, "baseline": False})
            assert answer.status_code == 201, answer.text
            assert run_next(services).end_detail == ""
        for row in api.client.get(f"{answer.headers['location']}/artifacts").json()["artifacts"]:
            assert hashlib.sha256(api.client.get(row["href"]).content).hexdigest() == row["sha256"]
    assert not (tmp_path / "api" / "artifacts").exists()
    assert not settings.artifacts_dir.exists()
    kept = sorted(path.name for path in (settings.cache_dir / "datasets").glob("*/dataset.*"))
    assert kept == ["dataset.npz"], "pictures are kept as they were unpacked, arrays as they are"
    GarbageCollector(services).collect()
    assert all(not key.startswith("up_") for key, _ in services.store.ages()), "what was sent is not needed any more"


def _arrays() -> dict[str, Any]:
    random = np.random.RandomState(0)
    return {
        f"{split}_{what}": made
        for split, count in (("train", 60), ("test", 20))
        for what, made in (
            ("images", random.randint(0, 255, (count, 1, 8, 8)).astype(np.uint8)),
            ("labels", np.arange(count) % 2),
        )
    }


@pytest.mark.slow
def test_a_store_that_is_away_in_the_middle_and_at_the_end_costs_nothing(
    services: Services, submit: Submit, start: Start, wire: Wire, undisturbed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_results = Attempt.store_results

    def store_later(attempt: Attempt, names: Sequence[str]) -> list[ArtifactInfo]:
        monkeypatch.setattr(Attempt, "store_results", store_results)
        wire.cut()
        threading.Timer(1, wire.mend).start()
        return store_results(attempt, names)

    monkeypatch.setattr(Attempt, "store_results", store_later)
    running = start(submit(LONGER))
    running.until(lambda: bool(_checkpoints(services, running.job_id)))
    wire.cut()
    time.sleep(1)
    wire.mend()
    job = running.join()
    assert (job.state, job.attempt, job.lost_attempts) == (JobState.SUCCEEDED, 1, 0)
    assert Attempt.store_results is store_results, "it was away at the end"
    assert _student(services, job.id) == undisturbed


@pytest.mark.slow
def test_a_worker_that_leaves_does_not_wait_for_the_store_and_one_that_comes_does(
    services: Services, submit: Submit, start: Start, wire: Wire
) -> None:
    """The last checkpoint is lost, not the job: the next attempt goes on from the one before."""
    running = start(submit(LONGER))
    running.until(lambda: bool(_checkpoints(services, running.job_id)))
    wire.cut()
    services.leaving.set()
    job = running.join()
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 0)
    assert _checkpoints(services, job.id)
    services.leaving.clear()
    again = start(job.id)
    time.sleep(0.5)
    wire.mend()
    job = again.join()
    assert (job.state, job.attempt, job.lost_attempts) == (JobState.SUCCEEDED, 2, 0)
    with services.database.read() as repository:
        events = repository.events(job.id, 0, 1000)
    assert [event.data["resumed"] for event in events if event.type == "run_started"] == [False, True]
    assert _student(services, job.id)


@pytest.mark.parametrize(
    ("wish", "state"), [(Repository.request_cancel, JobState.CANCELLED), (Repository.request_pause, JobState.PAUSED)]
)
def test_a_wish_is_heard_while_it_waits_to_begin(
    services: Services, submit: Submit, start: Start, wire: Wire, wish: Callable[..., Any], state: JobState
) -> None:
    job_id = submit(DIGITS)
    job = claim(services)
    assert job is not None
    first = Attempt(job, services)
    first.folder.mkdir(parents=True)
    (first.folder / "checkpoint.safetensors").write_bytes(b"to be brought")
    first.list_checkpoint()
    with services.database.write() as repository:
        repository.hand_back(job_id, job.token, "to go on")
    wire.cut()
    running = start(job_id)
    with services.database.write() as repository:
        wish(repository, job_id)
    assert running.join().state is state


def test_cancelling_does_not_wait_for_the_store(services: Services, submit: Submit, start: Start, wire: Wire) -> None:
    running = start(submit(SLOW))
    running.until(lambda: bool(_checkpoints(services, running.job_id)))
    wire.cut()
    with services.database.write() as repository:
        repository.request_cancel(running.job_id)
    assert running.join().state is JobState.CANCELLED
    assert not trainers(services.settings)
