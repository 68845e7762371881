"""Files that are sent: those on their way in parts, and those that came with a job, kept until nobody will run it."""

from __future__ import annotations

from sqlalchemy import delete, insert, select, update
from sqlalchemy.orm import Session

from jobs.artifacts import ArtifactInfo
from jobs.clock import now
from jobs.errors import UploadNotFound, WrongState
from jobs.ids import is_upload_id, new_id
from jobs.models import Artifact, Job, SentDataset, SentModel, Upload
from jobs.news import FileListed, tell

KIND = "upload"
_TABLES = (SentDataset, SentModel)


def begin(session: Session, owner: str) -> Upload:
    """A new file that is to come in parts."""
    row = {"id": new_id("up"), "owner": owner, "created_at": now()}
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


def end(session: Session, upload_id: str) -> None:
    """Forgets an upload: its file was taken, or is not wanted any more."""
    session.execute(delete(Upload).where(Upload.id == upload_id))


def keep(session: Session, job_id: str, upload: ArtifactInfo) -> None:
    """Lists a stored file as what came with the job."""
    tell(session, FileListed(upload.kind, upload.size))
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
