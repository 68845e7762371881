from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from pydantic import ValidationError

from api.http.errors import CODES
from distillery import Distillery
from distillery.client.transport import read
from distillery.errors import (
    DistilleryError,
    DownloadDamaged,
    InvalidSpec,
    JobEnded,
    JobNotFound,
    NoAnswer,
    NotFinished,
    NotFinishedInTime,
    NotFound,
    Problem,
    TooManyStreams,
    UnknownAnswer,
    WrongState,
)
from distillery.resources import JobView, Resolved
from distillery.states import EndReason, JobState
from jobs.artifacts import ArtifactInfo
from jobs.settings import Settings
from tests.api.conftest import Service, serving
from tests.distillery.breaking_proxy import breaking_proxy
from tests.distillery.conftest import SPEC


def test_every_code_of_the_service_has_a_class() -> None:
    assert set(Problem.classes) == set(CODES)


def test_a_code_of_a_later_version_is_known_by_its_status() -> None:
    problem = Problem.of(404, {"code": "sweep_not_found", "detail": "there is none"})

    assert type(problem) is NotFound
    assert (problem.code, str(problem)) == ("sweep_not_found", "there is none")


def test_a_job_is_run_paused_resumed_cancelled_run_again_and_deleted(distillery: Distillery) -> None:
    job = distillery.jobs.run(SPEC, name="first", labels={"team": "a"})
    assert (job.info.name, job.state) == ("first", JobState.QUEUED)
    assert job.info.spec["student"]["model"] == "softmax_regression"
    assert job.pause().state is JobState.PAUSED
    assert job.resume().state is JobState.QUEUED
    assert job.cancel().state is JobState.CANCELLED
    with pytest.raises(WrongState) as refused:
        job.pause()
    assert refused.value.more["state"] == "cancelled"
    again = job.retry()
    assert again.info.retry_of == job.id
    assert again.cancel().state is JobState.CANCELLED
    again.delete()
    with pytest.raises(JobNotFound, match=again.id):
        distillery.jobs.get(again.id)


def test_what_is_wrong_with_a_spec_is_told_with_its_place(distillery: Distillery) -> None:
    with pytest.raises(InvalidSpec, match="temprature") as refused:
        distillery.jobs.run({**SPEC, "temprature": 3})

    assert [error.pointer for error in refused.value.errors] == ["/temprature"]
    assert distillery.jobs.validate(SPEC).spec["kind"] == "distill"


def test_a_job_stands_for_its_student_wherever_it_is_in_a_spec(
    distillery: Distillery, service: Service, tmp_path: Path
) -> None:
    jobs = [distillery.jobs.run(SPEC) for _ in range(2)]
    for job in jobs:
        token = service.start(job.id)
        service.publish(job.id, token, "student.safetensors", b"weights", tmp_path)
        service.end(job.id, EndReason.COMPLETED, token)

    resolved = distillery.jobs.validate(SPEC, teacher={"ensemble": jobs})

    assert [member["job"] for member in resolved.spec["teacher"]["ensemble"]] == [job.id for job in jobs]


def test_lists_go_on_over_pages(distillery: Distillery) -> None:
    made = [distillery.jobs.run(SPEC, labels={"series": "paged"}).id for _ in range(5)]

    listed = [job.id for job in distillery.jobs.list(labels={"series": "paged"}, state=JobState.QUEUED)]

    assert listed == made[::-1]


def test_events_come_until_the_job_ends_and_its_info_with_them(distillery: Distillery, service: Service) -> None:
    job = distillery.jobs.run(SPEC)

    def work() -> None:
        token = service.start(job.id)
        service.train(job.id, token)
        service.end(job.id, EndReason.DIVERGED, token)

    worker = threading.Timer(0.2, work)
    worker.start()
    seen = list(job.events())
    worker.join()

    assert [event.seq for event in seen] == list(range(1, len(seen) + 1))
    assert (seen[0].type, seen[-1].type) == ("created", "ended")
    assert job.state is JobState.FAILED
    assert [event.seq for event in job.events(after=3)] == [event.seq for event in seen[3:]]
    with pytest.raises(JobEnded, match="diverged") as ended:
        job.wait()
    assert ended.value.job.reason is EndReason.DIVERGED


def test_waiting_has_an_end_and_the_job_goes_on(distillery: Distillery) -> None:
    job = distillery.jobs.run(SPEC)

    with pytest.raises(NotFinishedInTime, match="queued, and goes on"):
        job.wait(timeout=0.05)
    with pytest.raises(NotFinished):
        job.report()
    with pytest.raises(NotFinishedInTime):
        list(job.events(timeout=0.05))


def test_where_nobody_may_wait_any_more_it_is_asked_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("distillery.client.jobs._POLL_SECONDS", 0.1)
    settings = Settings(home=tmp_path / "home", broker_url="memory://", max_streams=1)
    with serving(settings) as crowded, Distillery(f"http://127.0.0.1:{crowded.port}") as client:
        job = client.jobs.run(SPEC)
        other = client.jobs.run(SPEC)
        with crowded.client.stream("GET", f"/jobs/{other.id}/events"):  # has the one place
            with pytest.raises(TooManyStreams):
                job.refresh(wait=5)
            ends = threading.Timer(0.3, crowded.end, (job.id, EndReason.DIVERGED))
            ends.start()
            with pytest.raises(JobEnded):
                job.wait(60)
            ends.join()


def test_an_answer_that_was_lost_makes_no_second_job(service: Service) -> None:
    """The request arrives; the connection breaks before a byte of the answer has come back."""
    with breaking_proxy(service.port) as proxy, Distillery(proxy.url, patience=30) as through:
        proxy.budgets = [(1 << 60, 1)]
        job = through.jobs.run(SPEC, labels={"series": "lost"})

        assert proxy.cut == 1
        assert [one.id for one in through.jobs.list(labels={"series": "lost"})] == [job.id]


def test_a_download_goes_on_where_the_connection_broke(service: Service, tmp_path: Path) -> None:
    content = bytes(range(256)) * 8192
    with breaking_proxy(service.port) as proxy, Distillery(proxy.url, patience=30) as through:
        job = through.jobs.run(SPEC)
        service.publish(job.id, service.start(job.id), "student.onnx", content, tmp_path)
        through.close()
    with breaking_proxy(service.port) as proxy, Distillery(proxy.url, patience=30) as through:
        proxy.budgets = [(1 << 60, 1_000_000), (1 << 60, 600_000)]
        path = through.jobs.get(job.id).download("student.onnx", tmp_path / "out")

        assert proxy.cut == 2
    assert path == tmp_path / "out"
    assert path.read_bytes() == content
    assert {one.name for one in tmp_path.iterdir()} == {"out", "source"}


def test_a_file_that_is_damaged_on_the_way_is_not_kept(
    distillery: Distillery, service: Service, tmp_path: Path
) -> None:
    job = distillery.jobs.run(SPEC)
    info = service.publish(job.id, service.start(job.id), "student.onnx", b"weights", tmp_path)
    begun = tmp_path / f".student.onnx.{info.sha256[:16]}.part"
    begun.write_bytes(b"WEI")  # an earlier program's, on a disk that has turned

    with pytest.raises(DownloadDamaged, match="arrived with sha256"):
        job.download("student.onnx", tmp_path)
    assert not begun.exists()
    assert job.download("student.onnx", f"{tmp_path}/new/").read_bytes() == b"weights"
    with pytest.raises(FileNotFoundError, match=r"no file 'x'; it has: student\.onnx"):
        job.download("x", tmp_path)


def test_files_keep_their_folders_and_leave_the_target_never(
    distillery: Distillery, service: Service, tmp_path: Path
) -> None:
    job = distillery.jobs.run(SPEC)
    token = service.start(job.id)
    for name in ("tensorboard/a/events", "tensorboard/b/events"):
        service.publish(job.id, token, name, name.encode(), tmp_path)
    with service.context.database.write() as repository:
        repository.list_artifact(job.id, token, ArtifactInfo("../over", "result", "text/plain", 1, "0" * 64, "x"))

    files = [job.download(one.name, tmp_path) for one in job.artifacts() if one.name != "../over"]

    assert {path.relative_to(tmp_path).as_posix(): path.read_text() for path in files} == {
        name: name for name in ("tensorboard/a/events", "tensorboard/b/events")
    }
    with pytest.raises(DistilleryError, match="outside"):
        job.download("../over", tmp_path)


def test_a_reason_that_a_later_service_knows_is_passed_on(distillery: Distillery) -> None:
    content = json.loads(distillery.jobs.run(SPEC).info.model_dump_json())
    waiting = {"code": "maintenance", "detail": "until noon"}

    info = read(JobView, json.dumps(content | {"reason": "out_of_budget", "waiting_for": waiting}).encode())

    assert (info.reason, info.waiting_for and info.waiting_for.code) == ("out_of_budget", "maintenance")
    with pytest.raises(ValidationError):
        JobView.model_validate(content | {"reason": "out_of_budget"})


def test_no_service_is_told_with_its_address() -> None:
    with Distillery("http://127.0.0.1:1", patience=0.1) as nowhere, pytest.raises(NoAnswer, match=r"127\.0\.0\.1:1 "):
        nowhere.jobs.get("job_1")
    with pytest.raises(ValueError, match="expected one like"):
        Distillery("localhost:8000")


def test_an_answer_of_something_else_is_no_answer_of_the_service(service: Service) -> None:
    """Such as of a web page at that address, or of a proxy that says 200."""
    with Distillery(f"http://127.0.0.1:{service.port}/jobs", patience=1) as wrong, pytest.raises(NotFound):
        wrong.catalog()
    with pytest.raises(UnknownAnswer, match="is this the right address"):
        read(JobView, b"<html>It works!</html>")
    assert read(Resolved, b'{"spec": {}, "warnings": [], "names": {}, "added_later": 1}').spec == {}
