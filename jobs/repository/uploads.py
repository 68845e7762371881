"""Files that are sent: those on their way, and those that came with a job, kept until nobody will run it.

A file on its way, in parts or in one request, is a row: it counts in its owner's quota from the moment at which its
bytes are announced. A row that nobody renews is forgotten.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlalchemy import ColumnElement, and_, delete, insert, or_, select, update
from sqlalchemy.orm import Session

from distillery.quota import Quota
from jobs.artifacts import ArtifactInfo
from jobs.clock import now
from jobs.committed_events import FileListed, after_commit
from jobs.errors import OverQuota, UploadNotFound, WrongState
from jobs.ids import is_upload_id, new_id
from jobs.repository import usage
from jobs.tables import Artifact, Job, SentDataset, SentModel, Upload

KIND = "upload"
IN_PARTS, IN_ONE = "up", "in"
"""What the ids of files on their way begin with. Only those in parts have an address."""

_TABLES = (SentDataset, SentModel)
_KEPT_SECONDS = {IN_PARTS: 86_400.0, IN_ONE: 3600.0}


def begin(session: Session, owner: str, quota: Quota, way: str) -> Upload:
    """All of `Repository.begin_upload`."""
    usage.lock(session, owner)
    used = usage.usage(session, owner).uploads
    if quota.uploads is not None and used >= quota.uploads:
        message = (
            f"{used} of your files are on their way, and {quota.uploads} may be; finish some, or give some up "
            "(GET /uploads, DELETE /uploads/{id})"
        )
        raise OverQuota("uploads", used, quota.uploads, message)
    row = {"id": new_id(way), "owner": owner, "created_at": now(), "expires_at": now(_KEPT_SECONDS[way])}
    made: Upload = session.scalars(insert(Upload).values(row).returning(Upload)).one()
    return made


def get(session: Session, upload_id: str, owner: str | None) -> Upload:
    """All of `Repository.upload`."""
    of_owner = () if owner is None else (Upload.owner == owner,)
    found = None
    if is_upload_id(upload_id):
        found = session.scalars(select(Upload).where(Upload.id == upload_id, *of_owner)).one_or_none()
    if found is None:
        raise UploadNotFound(upload_id)
    return found


def listed(session: Session, owner: str | None, before: str | None, limit: int) -> list[Upload]:
    """All of `Repository.list_uploads`."""
    statement = select(Upload).where(Upload.id.startswith(f"{IN_PARTS}_", autoescape=True))
    if owner is not None:
        statement = statement.where(Upload.owner == owner)
    if before is not None:
        statement = statement.where(Upload.id < before)
    return list(session.scalars(statement.order_by(Upload.id.desc()).limit(limit)))


def reserve(session: Session, upload_id: str, least: int, most: int, quota: Quota) -> int:
    """All of `Repository.reserve`."""
    owner = session.scalar(select(Upload.owner).where(Upload.id == upload_id))
    if owner is None:
        raise UploadNotFound(upload_id)
    usage.lock(session, owner)
    row = select(Upload.reserved).where(Upload.id == upload_id).with_for_update()
    before = session.scalars(row).one_or_none()
    if before is None:  # given up at this very moment
        raise UploadNotFound(upload_id)
    granted = most
    if quota.bytes is not None:
        has = usage.usage(session, owner)
        left = quota.bytes - (has.bytes - before)
        if least > before and least > left:
            message = f"your files take {has.bytes:,} bytes, and {quota.bytes:,} are allowed: this one is larger than "
            if has.upload_bytes > before:
                message += (
                    f"what is left beside {has.upload_bytes - before:,} that are on their way; wait for those, or "
                )
            else:
                message += "what is left; "
            raise OverQuota("bytes", has.bytes, quota.bytes, message + "delete what you no longer need")
        granted = max(least, min(most, left))
    _note(session, upload_id, granted)
    return granted


def settle(session: Session, upload_id: str, arrived: int) -> None:
    """All of `Repository.settle_upload`."""
    _note(session, upload_id, arrived)


def _note(session: Session, upload_id: str, reserved: int) -> None:
    until = now(_KEPT_SECONDS[upload_id.partition("_")[0]])
    session.execute(update(Upload).where(Upload.id == upload_id).values(reserved=reserved, expires_at=until))


def end(session: Session, upload_id: str) -> None:
    """Forgets an upload: its file was taken, or is not wanted any more."""
    session.execute(delete(Upload).where(Upload.id == upload_id))


def overdue(session: Session, after: str, limit: int) -> list[str]:
    """All of `Repository.overdue_uploads`."""
    return list(session.scalars(select(Upload.id).where(Upload.id > after, _over()).order_by(Upload.id).limit(limit)))


def end_overdue(session: Session, upload_ids: Collection[str]) -> None:
    """All of `Repository.end_overdue_uploads`."""
    session.execute(
        delete(Upload).where(Upload.id.in_(upload_ids), _over()), execution_options={"synchronize_session": False}
    )


def _over() -> ColumnElement[bool]:
    # programs of an earlier version give no time
    from_before = and_(Upload.expires_at.is_(None), Upload.created_at < now(-_KEPT_SECONDS[IN_PARTS]))
    return or_(Upload.expires_at < now(), from_before)


def keep(session: Session, job_id: str, upload: ArtifactInfo) -> None:
    """Lists a stored file as what came with the job."""
    after_commit(session, FileListed(upload.kind, upload.size))
    session.execute(insert(Artifact).values({"job_id": job_id, "created_at": now(), **vars(upload)}))


def kept_for(session: Session, job_id: str) -> str | None:
    """The data set or the model that the job is kept for."""
    for table in _TABLES:
        if found := session.scalars(select(table.id).where(table.job_id == job_id).limit(1)).one_or_none():
            return found
    return None


def hand_over(session: Session, job: Job, retry: Job) -> None:
    """What came with a job, and what it was sent as, belong to the job that repeats it.

    Raises:
        WrongState: the file is not kept any more.
    """
    if kept_for(session, job.id) is None:
        return
    files = update(Artifact).where(Artifact.job_id == job.id, Artifact.kind == KIND)
    if not list(session.scalars(files.values(job_id=retry.id).returning(Artifact.name))):
        raise WrongState(job.id, job.state, "what was sent with it is gone since then; send it again")
    for table in _TABLES:
        session.execute(update(table).where(table.job_id == job.id).values(job_id=retry.id))
