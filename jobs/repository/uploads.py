"""What came with a job: a file that it reads, kept until nobody will run the job again."""

from __future__ import annotations

from sqlalchemy import insert, select, update
from sqlalchemy.orm import Session

from jobs.artifacts import ArtifactInfo
from jobs.clock import now
from jobs.errors import WrongState
from jobs.models import Artifact, Job, SentDataset

KIND = "upload"


def keep(session: Session, job_id: str, upload: ArtifactInfo) -> None:
    """Lists a stored file as what came with the job."""
    session.execute(insert(Artifact).values({"job_id": job_id, "created_at": now(), **vars(upload)}))


def owner_of(session: Session, job_id: str) -> str | None:
    """The data set that the job checks."""
    return session.scalars(select(SentDataset.id).where(SentDataset.job_id == job_id)).one_or_none()


def hand_over(session: Session, job: Job, retry: Job) -> None:
    """What came with a job, and the data set that it checks, belong to the job that repeats it.

    Raises:
        WrongState: the file is not kept any more.
    """
    if owner_of(session, job.id) is None:
        return
    files = update(Artifact).where(Artifact.job_id == job.id, Artifact.kind == KIND)
    if not list(session.scalars(files.values(job_id=retry.id).returning(Artifact.name))):
        raise WrongState(job.id, job.state, "what was sent with it is gone since then; send it again")
    session.execute(update(SentDataset).where(SentDataset.job_id == job.id).values(job_id=retry.id))
