"""What came with a job: a file that it reads, kept until nobody will run the job again."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from jobs.artifacts import ArtifactInfo
from jobs.clock import now
from jobs.errors import WrongState
from jobs.models import Artifact, Job, SentDataset, SentModel

KIND = "upload"
_TABLES = (SentDataset, SentModel)


def keep(session: Session, job_id: str, upload: ArtifactInfo) -> None:
    """Lists a stored file as what came with the job."""
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
