"""What nobody can reach goes, what somebody can reach stays, and so does what is not this service's."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from distillery.states import EndReason
from jobs.artifacts import ArtifactInfo
from jobs.errors import JobNotFound
from jobs.repository import uploads
from tests.kd_engine.small_runs import DIGITS
from tests.worker.conftest import look
from worker.context import Services
from worker.periodic.garbage_collector import GarbageCollector

Submit = Callable[[dict[str, Any]], str]


@pytest.fixture
def garbage_collector(services: Services) -> GarbageCollector:
    return GarbageCollector(services)


def _write(path: Path, *, hours_old: float) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"content")
    _age(path, hours_old)
    return path


def _age(path: Path, hours: float) -> None:
    then = time.time() - hours * 3600
    os.utime(path, (then, then))


def _ended(services: Services, job_id: str, key: str) -> None:
    """The job has succeeded with one file."""
    path = services.settings.artifacts_dir / key
    info = ArtifactInfo("report.json", "result", "application/json", 7, "0" * 64, key)
    _write(path, hours_old=2)
    with services.database.write() as repository:
        job = repository.claim(job_id, "me", 60)
        assert job is not None
        repository.finish(job_id, job.token, EndReason.COMPLETED, "", [info])


def test_old_files_that_no_row_names_go(
    services: Services, submit: Submit, garbage_collector: GarbageCollector
) -> None:
    job_id = submit(DIGITS)
    _ended(services, job_id, f"{job_id}/1/report.json")
    root = services.settings.artifacts_dir
    orphan = _write(root / job_id / "1" / "student.safetensors", hours_old=2)
    of_no_job = _write(root / "job_deleted" / "3" / "report.json", hours_old=2)
    part = _write(root / job_id / "1" / f".curves.png.{'0' * 16}.part", hours_old=2)
    fresh = _write(root / job_id / "2" / "report.json", hours_old=0.5)
    fresh_part = _write(root / job_id / "2" / f".curves.png.{'0' * 16}.part", hours_old=0.5)
    not_ours = _write(root / "lost+found" / "a" / "b", hours_old=2)
    hidden = _write(root / ".nfs0001", hours_old=2)
    garbage_collector.collect()
    assert not [path for path in (orphan, of_no_job, part) if path.exists()]
    assert not of_no_job.parent.parent.exists()
    kept = [(services.settings.artifacts_dir / f"{job_id}/1/report.json"), fresh, fresh_part, not_ours, hidden]
    assert [path for path in kept if path.exists()] == kept


def test_many_files_are_looked_at_in_batches(
    services: Services, garbage_collector: GarbageCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.periodic.garbage_collector._KEYS_AT_ONCE", 3)
    for number in range(10):
        _write(services.settings.artifacts_dir / "job_gone" / "1" / str(number), hours_old=2)
    garbage_collector.collect()
    assert not list(services.settings.artifacts_dir.iterdir())


def test_a_cache_file_that_was_half_written_goes(services: Services, garbage_collector: GarbageCollector) -> None:
    cache = services.settings.cache_dir / "teachers"
    part = _write(cache / ".abc.safetensors.x1y2.part", hours_old=2)
    kept = [_write(cache / ".abc.safetensors.x1y3.part", hours_old=0.5), _write(cache / "abc", hours_old=2)]
    garbage_collector.collect()
    assert not part.exists()
    assert [path for path in kept if path.exists()] == kept


def test_scratch_folders_of_attempts_that_are_over_go(
    services: Services, submit: Submit, garbage_collector: GarbageCollector
) -> None:
    running, queued = submit(DIGITS), submit(DIGITS)
    with services.database.write() as repository:
        repository.claim(running, "another on this host", 60)
    runs = services.settings.runs_dir

    def attempt(job_id: str, token: str, hours_old: float = 2) -> Path:
        folder = runs / job_id / token
        _write(folder / "events.jsonl", hours_old=hours_old)
        _age(folder, hours_old)
        return folder

    over = [attempt(running, "0"), attempt(queued, "4"), attempt("job_gone", "1")]
    kept = [attempt(running, "1"), attempt(queued, "5", hours_old=0), attempt("job_gone", "notes")]
    kept.append(attempt("somebodys", "1"))
    garbage_collector.collect()
    assert not [folder for folder in over if folder.exists()]
    assert [folder for folder in kept if folder.exists()] == kept


def test_the_folder_of_the_job_in_hand_stays(services: Services, garbage_collector: GarbageCollector) -> None:
    folder = services.settings.runs_dir / "job_mine" / "1"
    _write(folder / "events.jsonl", hours_old=2)
    _age(folder, 2)
    services.in_hand.add("job_mine")
    garbage_collector.collect()
    assert folder.exists()


def test_jobs_go_when_their_time_is_over_and_their_files_with_them(services: Services, submit: Submit) -> None:
    own_time, long_kept, plain = submit(DIGITS | {"keep_days": 1e-7}), submit(DIGITS | {"keep_days": 9}), submit(DIGITS)
    for job_id in (own_time, long_kept, plain):
        _ended(services, job_id, f"{job_id}/1/report.json")
    unended = submit(DIGITS | {"keep_days": 1e-7})
    time.sleep(0.02)
    GarbageCollector(services).purge()
    with pytest.raises(JobNotFound):
        look(services, own_time)
    assert not (services.settings.artifacts_dir / f"{own_time}/1/report.json").exists()
    assert look(services, plain)
    brief = services.settings.model_copy(update={"keep_days": 1e-7})
    GarbageCollector(replace(services, settings=brief)).purge()
    with pytest.raises(JobNotFound):
        look(services, plain)
    assert look(services, long_kept)
    assert look(services, unended)
    assert (services.settings.artifacts_dir / f"{long_kept}/1/report.json").exists()


def test_many_jobs_go_some_at_a_time_until_none_is_left(
    services: Services, submit: Submit, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What one owner's hundreds of jobs take must not keep everybody else from writing."""
    monkeypatch.setattr("worker.periodic.garbage_collector._JOBS_AT_ONCE", 2)
    jobs = [submit(DIGITS | {"keep_days": 1e-7}) for _ in range(5)]
    for job_id in jobs:
        _ended(services, job_id, f"{job_id}/1/report.json")
    time.sleep(0.02)
    with caplog.at_level("INFO", "worker.periodic.garbage_collector"):
        GarbageCollector(services).purge()
    deleted = [record.args for record in caplog.records if "whose time was over" in record.msg]
    assert sorted(args[0] for args in deleted if isinstance(args, tuple)) == [1, 2, 2]
    for job_id in jobs:
        with pytest.raises(JobNotFound):
            look(services, job_id)


def test_workers_that_were_not_heard_for_long_are_forgotten(
    services: Services, garbage_collector: GarbageCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    def seen() -> list[str]:
        with services.database.read() as repository:
            return [worker.id for worker in repository.workers_seen(1e6)]

    with services.database.write() as repository:
        repository.beat("here", "cpu", None)
    garbage_collector.forget_workers()
    assert seen() == ["here"]
    monkeypatch.setattr("worker.periodic.garbage_collector._DAY_SECONDS", 0.01)
    time.sleep(0.05)
    garbage_collector.forget_workers()
    assert seen() == []


def test_uploads_that_nothing_came_of_are_forgotten(
    services: Services, garbage_collector: GarbageCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("worker.periodic.garbage_collector._KEYS_AT_ONCE", 2)

    def begin(way: str) -> str:
        with services.database.write() as repository:
            return repository.begin_upload("local", way=way).id

    fresh = begin(uploads.IN_PARTS)
    with monkeypatch.context() as patch:
        for way in (uploads.IN_PARTS, uploads.IN_ONE):
            patch.setitem(uploads._KEPT_SECONDS, way, -1.0)
        arriving = begin(uploads.IN_PARTS)
        for _ in range(3):
            begin(uploads.IN_PARTS)
            begin(uploads.IN_ONE)
    with services.store.parts.alone(arriving) as part:
        part.write(b"x")
    garbage_collector.collect()
    with services.database.read() as repository:
        assert repository.usage("local").uploads == 2
        assert [repository.upload(name).id for name in (fresh, arriving)] == [fresh, arriving]
