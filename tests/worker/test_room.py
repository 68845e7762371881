"""Full disks: a worker that met one takes no job until there is room, and nothing is lost by that."""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import IO, Any

import pytest

from distillery.states import EndReason, JobState
from jobs.artifacts import local
from jobs.settings import Settings
from kd_engine.jobspec import parse_spec
from kd_engine.runs.request import RunRequest
from kd_engine.schema.run_request import RunOptions
from tests.kd_engine.intake.archives import by_class, zipped
from tests.kd_engine.small_runs import DIGITS
from tests.worker.conftest import QUICK, ROOT, claim, look, run_next
from tests.worker.test_datasets import _send as send_dataset
from worker.attempt.execute import execute
from worker.attempt.trainer_main import NO_ROOM_STATUS
from worker.context import Services
from worker.job_loop import JobLoop
from worker.periodic.lease_reaper import LeaseReaper
from worker.room import Room

Submit = Callable[[dict[str, Any]], str]
GIB = 2**30
MOST = 10**18  # bytes that no disk has


def _wanting(services: Services, least: int) -> Services:
    """A worker that wants so much room."""
    return replace(services, settings=services.settings.model_copy(update={"min_free_bytes": least}))


@contextmanager
def _no_more_than(size: int) -> Iterator[None]:
    """The kernel lets this process write no larger file: as a full disk, down to the error."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("total", "free", "enough"),
    [
        (1000 * GIB, GIB, True),
        (1000 * GIB, GIB - 1, False),
        (2 * GIB, GIB // 10, True),
        (2 * GIB, GIB // 10 - 1, False),
    ],
)
def test_how_much_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, total: int, free: int, enough: bool
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(total=total, free=free))
    assert (Room(Settings(home=tmp_path / "home")).look() is None) == enough


def test_the_setting_wins_and_the_folder_is_named(tmp_path: Path) -> None:
    assert Room(Settings(home=tmp_path / "home", min_free_bytes=0)).look() is None
    room = Room(Settings(home=tmp_path / "home", min_free_bytes=MOST))
    assert "scratch folder" in (room.look() or "")
    assert room.lacks is not None


def test_after_a_full_disk_what_the_system_says_is_not_enough(tmp_path: Path) -> None:
    room = Room(Settings(home=tmp_path / "home", min_free_bytes=0))
    with _no_more_than(1000):
        assert room.look() is None
        room.met_full()
        assert "nothing more can be written to its scratch folder" in (room.look() or "")
    assert room.look() is None
    with _no_more_than(1000):
        assert room.look() is None, "it is over: nothing is written any more only to see"
    assert not list(tmp_path.iterdir())


def test_a_worker_without_room_takes_no_job_and_says_so(services: Services, submit: Submit) -> None:
    ids = [submit(QUICK) for _ in range(3)]
    full = _wanting(services, MOST)
    JobLoop(full).work()
    LeaseReaper(full, lambda: None).beat()
    assert {look(services, job_id).state for job_id in ids} == {JobState.QUEUED}
    with services.database.read() as repository:
        [worker] = repository.workers_seen(60)
    assert "free for its scratch folder" in (worker.lacks or "")
    JobLoop(services).work()
    LeaseReaper(services, lambda: None).beat()
    assert {look(services, job_id).state for job_id in ids} == {JobState.FAILED}
    with services.database.read() as repository:
        assert [worker.lacks for worker in repository.workers_seen(60)] == [None]


@pytest.fixture
def full_for(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Lets the copies of some files into the store meet ENOSPC: /dev/full is a real device that never has room."""

    def choose(names: str) -> None:
        real = local.pour

        def pour(pieces: Iterable[bytes], target: IO[bytes]) -> tuple[int, str]:
            if names in target.name:
                with open("/dev/full", "wb", buffering=0) as full:
                    return real(pieces, full)
            return real(pieces, target)

        monkeypatch.setattr(local, "pour", pour)

    return choose


def test_a_job_that_met_a_disk_that_others_fill_waits(
    services: Services, submit: Submit, full_for: Callable[[str], None]
) -> None:
    full_for("checkpoint")
    job_id = submit(DIGITS)
    job = claim(services)
    assert job is not None
    execute(job, _wanting(services, MOST))  # the disk was filled while it ran
    job = look(services, job_id)
    assert (job.state, job.lost_attempts) == (JobState.QUEUED, 0)
    with services.database.read() as repository:
        [why] = [event.data["why"] for event in repository.events(job_id, 0, 100) if event.type == "requeued"]
    assert "It waits for room" in why
    assert not list(services.settings.runs_dir.glob("*/*"))


def test_a_job_that_needs_more_than_there_is_fails_at_the_cap(
    services: Services, tmp_path: Path, full_for: Callable[[str], None]
) -> None:
    full_for("manifest.json")
    check = send_dataset(services, zipped(tmp_path / "sent.zip", by_class(3))).job
    few = replace(services, settings=services.settings.model_copy(update={"max_lost_attempts": 2}))
    first = run_next(few)
    assert (first.state, first.lost_attempts) == (JobState.QUEUED, 1)
    job = run_next(few)
    assert (job.id, job.state, job.reason) == (check.id, JobState.FAILED, EndReason.DISK_FULL)
    with services.database.read() as repository:
        assert not repository.artifacts(job.id)
    [upload] = [path for path in services.settings.artifacts_dir.rglob("*") if path.is_file()]
    assert upload.name == "zip", "files of the results take room that others need"


def test_a_trainer_that_cannot_even_say_so_says_it_by_its_status(tmp_path: Path) -> None:
    """Its events file is on a device that never has room."""
    options = RunOptions(out_dir=tmp_path, data_dir=tmp_path, cache_dir=tmp_path, threads=1, download=False)
    RunRequest(parse_spec(DIGITS), options).write(tmp_path)
    (tmp_path / "events.jsonl").symlink_to("/dev/full")
    with subprocess.Popen(
        [sys.executable, "-m", "worker.attempt.trainer_main", str(tmp_path)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        assert process.stderr is not None
        said = process.stderr.read()
        assert process.wait(60) == NO_ROOM_STATUS, said
    assert json.loads((tmp_path / "request.json").read_text())
