"""What an owner has, and whether there is room for one more job."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from distillery.quota import Quota
from distillery.states import JobState
from jobs.errors import OverQuota
from jobs.repository.upsert import insert_or_skip
from jobs.tables import Artifact, Job, Owner, Upload

_WAITING = (JobState.QUEUED, JobState.PAUSED)


@dataclass(frozen=True)
class Usage:
    """What an owner has now.

    Attributes:
        running, queued: jobs; paused ones count as queued.
        bytes: of stored files, and of those on their way.
        epochs: planned ones of all jobs that have not ended.
        uploads: files on their way.
        upload_bytes: theirs among `bytes`: what has arrived, and what the requests under way may bring.
    """

    running: int
    queued: int
    bytes: int
    epochs: int
    uploads: int = 0
    upload_bytes: int = 0


def usage(session: Session, owner: str) -> Usage:
    counted = select(Job.state, func.count(), func.coalesce(func.sum(Job.planned_epochs), 0))
    of_owner = counted.where(Job.owner == owner, Job.state.in_((*_WAITING, JobState.RUNNING))).group_by(Job.state)
    by_state = {state: (int(count), int(epochs)) for state, count, epochs in session.execute(of_owner)}
    stored = select(func.coalesce(func.sum(Artifact.size), 0)).join(Job).where(Job.owner == owner)
    uploaded = func.coalesce(func.sum(Upload.reserved), 0)
    # in one statement: a file that is just becoming a data set counts once
    of_files = select(stored.scalar_subquery(), uploaded, func.count()).where(Upload.owner == owner)
    stored_bytes, upload_bytes, uploads = map(int, session.execute(of_files).one())
    return Usage(
        running=by_state.get(JobState.RUNNING, (0, 0))[0],
        queued=sum(by_state.get(state, (0, 0))[0] for state in _WAITING),
        bytes=stored_bytes + upload_bytes,
        epochs=sum(epochs for _, epochs in by_state.values()),
        uploads=uploads,
        upload_bytes=upload_bytes,
    )


def lock(session: Session, owner: str) -> None:
    """Holds the owner's row, so that two requests do not go beyond a quota together."""
    insert_or_skip(session, Owner, {"name": owner, "served_at": None})
    session.execute(select(Owner.name).where(Owner.name == owner).with_for_update())


def check_room(session: Session, owner: str, quota: Quota, epochs: int) -> None:
    """Raises OverQuota when another job of so many epochs goes beyond the quota; holds the owner's row meanwhile."""
    if not quota.limits_new_jobs:
        return
    lock(session, owner)
    now = usage(session, owner)
    if quota.queued is not None and now.queued >= quota.queued:
        raise OverQuota(
            "queued",
            now.queued,
            quota.queued,
            f"{now.queued} of your jobs are waiting, and {quota.queued} may; wait for some, or cancel some",
        )
    if quota.bytes is not None and now.bytes >= quota.bytes:
        raise OverQuota(
            "bytes",
            now.bytes,
            quota.bytes,
            f"your jobs' files take {now.bytes:,} bytes, and {quota.bytes:,} are allowed; delete jobs that you no "
            "longer need (DELETE /jobs/{id})",
        )
    if quota.epochs is not None and now.epochs + epochs > quota.epochs:
        raise OverQuota(
            "epochs",
            now.epochs,
            quota.epochs,
            f"your unfinished jobs plan {now.epochs:,} epochs, this one {epochs:,} more, and {quota.epochs:,} are "
            "allowed; wait for some to end, or ask for fewer epochs or repeats",
        )
