"""Files on their way: what is reserved for them, how many there are, and when they are forgotten."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text

from distillery.quota import Quota
from jobs.database import Database
from jobs.errors import OverQuota, UploadNotFound
from jobs.repository import Repository, uploads
from tests.jobs.samples import a_file, all_at_once, running


def begun(database: Database, owner: str = "local") -> str:
    with database.write() as repository:
        return repository.begin_upload(owner).id


def used(database: Database, owner: str = "local") -> tuple[int, int, int]:
    with database.read() as repository:
        usage = repository.usage(owner)
    return usage.bytes, usage.uploads, usage.upload_bytes


def test_requests_at_once_do_not_reserve_more_than_the_quota_together(database: Database) -> None:
    ids, quota = [begun(database) for _ in range(8)], Quota(bytes=1000)

    def reserve(upload_id: str, repository: Repository) -> bool:
        try:
            return repository.reserve(upload_id, 300, 300, quota) == 300
        except OverQuota:
            return False

    granted = all_at_once(database, [lambda repository, at=upload: reserve(at, repository) for upload in ids])
    assert sum(granted) == 3
    assert used(database) == (900, 8, 900)


def test_no_more_begin_at_once_than_may(database: Database) -> None:
    def begin(repository: Repository) -> bool:
        try:
            return bool(repository.begin_upload("local", Quota(uploads=3)).id)
        except OverQuota:
            return False

    assert sum(all_at_once(database, [begin] * 8)) == 3
    with database.write() as repository:
        repository.begin_upload("another", Quota(uploads=3), uploads.IN_ONE)
    assert used(database, "another") == (0, 1, 0)


def test_as_much_is_granted_as_there_is_room_for(database: Database) -> None:
    job_id, token = running(database)
    first, second = begun(database), begun(database)
    with database.write() as repository:
        repository.list_artifact(job_id, token, a_file())  # 3 bytes
        assert repository.reserve(first, 10, 50, Quota(bytes=100)) == 50
        assert repository.reserve(second, 10, 50, Quota(bytes=100)) == 47
        assert repository.reserve(second, 20, 20, Quota(bytes=100)) == 20, "its own does not count against it"
        with pytest.raises(OverQuota, match="beside 50 that are on their way") as refused:
            repository.reserve(second, 48, 48, Quota(bytes=100))
        assert (refused.value.quota, refused.value.used, refused.value.limit) == ("bytes", 73, 100)
        repository.settle_upload(first, 4)
        assert repository.reserve(second, 48, 48, Quota(bytes=100)) == 48
        assert repository.reserve(second, 48, 48, Quota(bytes=10)) == 48, "what it has, it keeps"
        repository.end_upload(first)
        with pytest.raises(UploadNotFound):
            repository.reserve(first, 1, 1, Quota(bytes=100))
    assert used(database) == (51, 1, 48)


def test_what_nobody_renews_is_forgotten(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = begun(database)
    monkeypatch.setitem(uploads._KEPT_SECONDS, uploads.IN_PARTS, -1.0)
    renewed, old = begun(database), begun(database)
    monkeypatch.undo()
    from_before = begun(database)
    engine = create_engine(database.url)
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE uploads SET expires_at = NULL, created_at = 0 WHERE id = :id"), {"id": from_before}
        )
    engine.dispose()
    with database.write() as repository:
        overdue = repository.overdue_uploads("", 10)
        assert overdue == [renewed, old, from_before]
        assert repository.overdue_uploads(renewed, 1) == [old]
        repository.reserve(renewed, 1, 1)  # its next part begins at this very moment
        repository.end_overdue_uploads(overdue)
        for upload_id in (fresh, renewed):
            assert repository.upload(upload_id).id == upload_id
        for upload_id in (old, from_before):
            with pytest.raises(UploadNotFound):
                repository.upload(upload_id)
