"""What was sent is checked by a worker and then read by the jobs that name it."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from distillery.states import EndReason, JobState
from jobs.artifacts import ArtifactInfo
from jobs.repository import Sent
from jobs.tables import SentDataset
from kd_engine.jobspec import CheckSpec
from kd_engine.platform.files import sha256_of
from tests.kd_engine.intake.archives import by_class, zipped
from tests.kd_engine.small_runs import DIGITS
from tests.stores import content, exists
from tests.worker.conftest import look, run_next
from worker.context import Services
from worker.periodic.garbage_collector import GarbageCollector

Submit = Callable[[dict[str, Any]], str]


def _send(services: Services, path: Path) -> Sent[SentDataset]:
    sha256, size, key = sha256_of(path), path.stat().st_size, "up_1/zip"
    services.store.put(path, key)
    upload = ArtifactInfo("upload", "upload", "application/octet-stream", size, sha256, key)
    with services.database.write() as repository:
        return repository.create_dataset(CheckSpec(kind="check", name="photos", upload_sha256=sha256), upload)[0]


def _params(services: Services, dataset: Sent[SentDataset]) -> dict[str, Any]:
    with services.database.read() as repository:
        files = {row.name: row for row in repository.artifacts(dataset.job.id)}
    manifest = json.loads(content(services.store, files["manifest.json"].key))
    return {
        "id": dataset.row.id, "height": 8, "width": 8, "sha256": files["dataset.tar"].sha256,
        "layout": manifest["layout"], "channels": manifest["channels"], "classes": manifest["classes"],
        "train": manifest["splits"]["train"]["images"],
    }  # fmt: skip


def test_a_data_set_is_checked_and_trained_on(services: Services, submit: Submit, tmp_path: Path) -> None:
    dataset = _send(services, zipped(tmp_path / "sent.zip", by_class(40)))
    run_next(services)
    check = look(services, dataset.job.id)
    assert (check.state, check.end_detail) == (JobState.SUCCEEDED, "")
    assert not exists(services.store, "up_1/zip"), "what was sent is not needed any more"
    spec = DIGITS | {"dataset": {"name": "uploaded", "params": _params(services, dataset)}, "baseline": False}
    for _ in range(2):  # the second finds what the first unpacked
        job_id = submit(spec)
        run_next(services)
        job = look(services, job_id)
        assert (job.state, job.end_detail) == (JobState.SUCCEEDED, "")
    with services.database.read() as repository:
        files = {name: content(services.store, repository.artifact(job_id, name).key).decode()
                 for name in ("report.json", "MODEL_CARD.md")}  # fmt: skip
    assert json.loads(files["report.json"])["names"] == {"dataset": {"id": dataset.row.id, "name": "photos"}}
    assert files["MODEL_CARD.md"].startswith("# mlp on photos\n")
    assert f"| data | photos (`{dataset.row.id}`), sha256" in files["MODEL_CARD.md"]
    [unpacked] = (services.settings.cache_dir / "datasets").iterdir()
    assert sum(path.is_file() for path in unpacked.rglob("*")) == 80


def test_a_broken_data_set_fails_with_its_reason(services: Services, tmp_path: Path) -> None:
    dataset = _send(services, zipped(tmp_path / "sent.zip", by_class(3) | {"cat/broken.png": b"x"}))
    run_next(services)
    check = look(services, dataset.job.id)
    assert (check.state, check.end_reason) == (JobState.FAILED, EndReason.DATA_ERROR)
    assert "1 of 7 pictures cannot be used: cat/broken.png" in (check.end_detail or "")
    assert not exists(services.store, "up_1/zip")


def test_a_data_set_that_was_deleted_is_a_data_error(services: Services, submit: Submit, tmp_path: Path) -> None:
    dataset = _send(services, zipped(tmp_path / "sent.zip", by_class(20)))
    run_next(services)
    params = _params(services, dataset)
    with services.database.write() as repository:
        repository.delete_dataset(dataset.row.id)
    job_id = submit(DIGITS | {"dataset": {"name": "uploaded", "params": params}})
    run_next(services)
    job = look(services, job_id)
    assert job.end_reason == EndReason.DATA_ERROR
    assert f"there is no data set '{dataset.row.id}'" in (job.end_detail or "")


def test_what_was_unpacked_goes_with_the_data_set(services: Services, submit: Submit, tmp_path: Path) -> None:
    dataset = _send(services, zipped(tmp_path / "sent.zip", by_class(20)))
    run_next(services)
    params = _params(services, dataset)
    submit(DIGITS | {"dataset": {"name": "uploaded", "params": params}, "baseline": False})
    run_next(services)
    unpacked = services.settings.cache_dir / "datasets" / params["sha256"]
    long_ago = time.time() - 1e6
    for _ in range(2):
        os.utime(unpacked, (long_ago, long_ago))
        GarbageCollector(services).collect()
        assert unpacked.is_dir(), "the data set is still there"
    with services.database.write() as repository:
        repository.delete_dataset(dataset.row.id)
    GarbageCollector(services).collect()
    assert not unpacked.exists()


def test_a_check_that_takes_too_much_memory_fails_and_the_next_one_runs(services: Services, tmp_path: Path) -> None:
    limited = replace(services, settings=services.settings.model_copy(update={"trainer_memory": 448 * 2**20}))
    one_colour = io.BytesIO()
    Image.new("RGB", (9000, 9000)).save(one_colour, "PNG")  # 324 MB when it is unpacked, in 240 KB
    dataset = _send(services, zipped(tmp_path / "sent.zip", {f"{name}/1.png": one_colour.getvalue() for name in "ab"}))
    run_next(limited)
    check = look(services, dataset.job.id)
    assert (check.state, check.end_reason, check.attempt) == (JobState.FAILED, EndReason.OUT_OF_MEMORY, 1)
    assert "while it was looking at the data set that was sent; it may hold 448 MiB" in (check.end_detail or "")
    small = _send(services, zipped(tmp_path / "small.zip", by_class(10)))
    run_next(limited)
    assert look(services, small.job.id).state is JobState.SUCCEEDED
