"""Data sets that were sent: stored by content, kept with their check, deleted with it."""

from __future__ import annotations

import pytest

from distillery.states import EndReason, JobState
from jobs.artifacts import ArtifactInfo
from jobs.database import Database
from jobs.errors import ArtifactNotFound, DatasetInUse, DatasetNotFound, WrongState
from jobs.repository import Sent
from jobs.tables import SentDataset
from kd_engine.jobspec import CheckSpec
from tests.jobs.samples import a_file, a_spec, claim, read

SHA256 = "a" * 64


def _spec(sha256: str = SHA256, **changes: object) -> CheckSpec:
    return CheckSpec.model_validate({"kind": "check", "name": "pets", "upload_sha256": sha256, **changes})


def _send(database: Database, owner: str = "local", **changes: object) -> tuple[Sent[SentDataset], bool]:
    spec = _spec(**changes)  # type: ignore[arg-type]
    upload = ArtifactInfo("upload", "upload", "application/octet-stream", 7, spec.upload_sha256, f"up_{owner}/zip")
    with database.write() as repository:
        return repository.create_dataset(spec, upload, owner=owner)


def _end(database: Database, dataset: Sent[SentDataset], reason: EndReason) -> list[str]:
    token = claim(database, dataset.job.id)
    files = [a_file("manifest.json", key=f"{dataset.job.id}/1/manifest.json")] if reason is EndReason.COMPLETED else []
    with database.write() as repository:
        return repository.finish(dataset.job.id, token, reason, "", files)


def _has_upload(database: Database, job_id: str) -> bool:
    with database.read() as repository:
        try:
            repository.artifact(job_id, "upload", "upload")
        except ArtifactNotFound:
            return False
        return True


def test_what_is_sent_becomes_a_data_set_and_a_queued_check(database: Database) -> None:
    dataset, is_new = _send(database)
    assert is_new
    assert dataset.row.name == "pets"
    assert (dataset.job.state, dataset.job.spec["kind"]) == (JobState.QUEUED, "check")
    with database.read() as repository:
        assert repository.dataset(dataset.row.id).job.id == dataset.job.id
        assert repository.usage("local").bytes == 7
        assert [one.row.id for one in repository.list_datasets(None)] == [dataset.row.id]
    assert _has_upload(database, dataset.job.id)


def test_the_same_content_is_one_data_set_for_an_owner(database: Database) -> None:
    first, _ = _send(database)
    again, is_new = _send(database, name="other")
    assert (again.row.id, is_new) == (first.row.id, False)
    for changes in ({"test": 0.5}, {"broken": "skip"}, {"sha256": "b" * 64}):
        assert _send(database, **changes)[1], changes
    assert _send(database, owner="somebody")[1]
    with database.read() as repository:
        assert len(repository.list_datasets("local")) == 4
        assert len(repository.list_datasets("somebody")) == 1


def test_after_a_check_that_failed_the_same_may_be_sent_again(database: Database) -> None:
    first, _ = _send(database)
    _end(database, first, EndReason.DATA_ERROR)
    again, is_new = _send(database)
    assert is_new
    assert again.row.id != first.row.id


def test_somebody_elses_is_not_found(database: Database) -> None:
    dataset, _ = _send(database, owner="somebody")
    with database.read() as repository, pytest.raises(DatasetNotFound):
        repository.dataset(dataset.row.id, "local")
    with database.read() as repository, pytest.raises(DatasetNotFound):
        repository.dataset("ds_1; DROP TABLE datasets")


@pytest.mark.parametrize("reason", [EndReason.COMPLETED, EndReason.DATA_ERROR])
def test_what_was_sent_goes_once_no_attempt_will_read_it(database: Database, reason: EndReason) -> None:
    dataset, _ = _send(database)
    assert _end(database, dataset, reason) == ["up_local/zip"]
    assert not _has_upload(database, dataset.job.id)


def test_a_retry_takes_over_the_file_and_the_data_set(database: Database) -> None:
    dataset, _ = _send(database)
    assert _end(database, dataset, EndReason.DISK_FULL) == []
    with database.write() as repository:
        job, _ = repository.retry(dataset.job.id)
    with database.read() as repository:
        assert repository.dataset(dataset.row.id).job.id == job.id
    assert _has_upload(database, job.id)


def test_a_check_whose_file_is_gone_cannot_be_retried(database: Database) -> None:
    dataset, _ = _send(database)
    _end(database, dataset, EndReason.DATA_ERROR)
    with pytest.raises(WrongState, match="send it again"), database.write() as repository:
        repository.retry(dataset.job.id)
    with database.read() as repository:
        assert repository.dataset(dataset.row.id).job.id == dataset.job.id


def test_a_check_stays_as_long_as_its_data_set(database: Database) -> None:
    dataset, _ = _send(database)
    _end(database, dataset, EndReason.COMPLETED)
    with database.write() as repository:
        assert repository.purge_ended(-1, 10) == ([], [])
    with pytest.raises(WrongState, match=dataset.row.id), database.write() as repository:
        repository.delete(dataset.job.id)
    with database.write() as repository:
        assert repository.delete_dataset(dataset.row.id) == [f"{dataset.job.id}/1/manifest.json"]
    with database.read() as repository, pytest.raises(DatasetNotFound):
        repository.dataset(dataset.row.id)


def test_a_data_set_that_is_being_checked_or_is_to_be_read_stays(database: Database) -> None:
    dataset, _ = _send(database)
    with pytest.raises(WrongState, match="cancel it first"), database.write() as repository:
        repository.delete_dataset(dataset.row.id)
    _end(database, dataset, EndReason.COMPLETED)
    params = {
        "id": dataset.row.id, "height": 8, "width": 8, "sha256": SHA256, "layout": "image_folder", "channels": 3,
        "classes": ["a", "b"], "train": 100,
    }  # fmt: skip
    with database.write() as repository:
        spec = a_spec(dataset={"name": "uploaded", "params": params}, teacher="mlp", student="mlp")
        reader = repository.create(spec).id
    assert read(database, reader).dataset == dataset.row.id
    with pytest.raises(DatasetInUse, match=reader), database.write() as repository:
        repository.delete_dataset(dataset.row.id)
    with database.write() as repository:
        repository.request_cancel(reader)
        repository.delete_dataset(dataset.row.id)


def test_pages_go_on_where_they_ended(database: Database) -> None:
    sent = [_send(database, sha256=digit * 64)[0].row.id for digit in "abc"]
    with database.read() as repository:
        first = repository.list_datasets(None, limit=2)
        rest = repository.list_datasets(None, before=first[-1].row.id, limit=2)
    assert [one.row.id for one in (*first, *rest)] == sent[::-1]
