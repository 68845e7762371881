"""Which place queued jobs have: how many a worker would take up to each of them, were it to take one after the other
now, with nothing else going on. `queue.claim_next` decides; this says beforehand what it would do.

An owner's jobs go in the order of (rank, id), so job number k of an owner with r running ones is taken when r + k - 1
of its jobs run. By then every other owner has been served until it has as many running, or one more where it comes
first at equal numbers. Quotas are left out of it: who has reached one gets on as soon as a job of its ends.

For a job of any device that is the earliest place among those for the devices that are at work, or all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, String, and_, bindparam, case, func, or_, select
from sqlalchemy.orm import Session

from distillery.states import JobState
from jobs.clock import now
from jobs.tables import Job, Owner, Worker

HEARD_SECONDS = 60.0  # workers beat every KD_HEARTBEAT_SECONDS, 10 by default
DEVICES = ("cpu", "cuda")
ANY = "auto"
NEW = "~"
"""In place of the id of a job that is yet to come: after all ids."""

_Counts = Mapping[str, int]


@dataclass(frozen=True)
class Place:
    """A job in its owner's queue.

    Attributes:
        before: how many of the owner's jobs go before it, by the device that they ask for.
    """

    owner: str
    device: str
    before: _Counts


@dataclass(frozen=True)
class _Turn:
    """An owner: as many jobs run, so many wait by device, and when one was last begun."""

    running: int
    queued: _Counts
    served: float

    def waiting(self, device: str) -> int:
        return self.queued.get(ANY, 0) + self.queued.get(device, 0)


_NOBODY = _Turn(0, {}, 0.0)  # whose first job is yet to come

# Made once: making them takes longer than running them.
_counts = (
    select(Job.owner, Job.state, Job.device, func.count().label("jobs"))
    .where(Job.state.in_((JobState.QUEUED, JobState.RUNNING)))
    .group_by(Job.state, Job.owner, Job.device)
    .subquery()
)
_TURNS = select(_counts, Owner.served_at).join(Owner, Owner.name == _counts.c.owner)
_AT_WORK = select(Worker.device).where(Worker.seen_at >= now(-HEARD_SECONDS)).distinct()
_BEFORE = (
    select(Job.device, func.count())
    .where(
        Job.state == JobState.QUEUED,
        Job.owner == bindparam("owner", type_=String()),
        or_(Job.rank < bindparam("rank"), and_(Job.rank == bindparam("rank"), Job.id < bindparam("job_id"))),
    )
    .group_by(Job.device)
)


def of_jobs(session: Session, jobs: Iterable[Job]) -> dict[str, int]:
    """The place of each of the jobs that is queued, by its id."""
    queued = [job for job in jobs if job.state is JobState.QUEUED]
    if not queued:
        return {}
    before = _before_each(session, queued)
    # one that began between two looks has no place any more
    places = {job.id: Place(job.owner, job.device, before[job.id]) for job in queued if job.id in before}
    found = _positions(session, list(places.values()))
    return dict(zip(places, found, strict=True))


def of_one(source: Session | Connection, owner: str, device: str, rank: int, job_id: str = NEW) -> int:
    """The place of a queued job, or of one that is yet to come."""
    rows = source.execute(_BEFORE, {"owner": owner, "rank": rank, "job_id": job_id})
    return _positions(source, [Place(owner, device, {device: int(count) for device, count in rows})])[0]


def _before_each(session: Session, jobs: Sequence[Job]) -> dict[str, _Counts]:
    """How many of its owner's go before each job, by device: one look at their owners' queues."""
    counts = [
        func.coalesce(
            func.sum(case((Job.device == device, 1), else_=0)).over(
                partition_by=Job.owner, order_by=(Job.rank, Job.id), rows=(None, -1)
            ),
            0,
        ).label(device)
        for device in (ANY, *DEVICES)
    ]
    owners = {job.owner for job in jobs}
    queues = select(Job.id, *counts).where(Job.state == JobState.QUEUED, Job.owner.in_(owners)).subquery()
    rows = session.execute(select(queues).where(queues.c.id.in_([job.id for job in jobs])))
    return {row.id: {device: int(getattr(row, device)) for device in (ANY, *DEVICES)} for row in rows}


def _positions(source: Session | Connection, places: Sequence[Place]) -> list[int]:
    turns = _turns(source)
    at_work = set(source.execute(_AT_WORK).scalars()) if any(place.device == ANY for place in places) else set()
    usable = at_work.intersection(DEVICES) or DEVICES
    return [
        min(_position(place, device, turns) for device in (usable if place.device == ANY else (place.device,)))
        for place in places
    ]


def _turns(source: Session | Connection) -> dict[str, _Turn]:
    running: dict[str, int] = {}
    queued: dict[str, dict[str, int]] = {}
    served: dict[str, float] = {}
    for owner, state, device, jobs, served_at in source.execute(_TURNS):
        served[owner] = 0.0 if served_at is None else served_at.timestamp()
        if state is JobState.RUNNING:
            running[owner] = running.get(owner, 0) + int(jobs)
        else:
            queued.setdefault(owner, {})[device] = int(jobs)
    return {owner: _Turn(running.get(owner, 0), queued.get(owner, {}), served[owner]) for owner in served}


def _position(place: Place, device: str, turns: Mapping[str, _Turn]) -> int:
    """Of the job that a worker with this device takes."""
    own = place.before.get(ANY, 0) + place.before.get(device, 0)
    me = turns.get(place.owner, _NOBODY)
    level = me.running + own
    ahead = 0
    for owner, turn in turns.items():
        if owner == place.owner:
            continue
        if turn.running == me.running:
            first = (turn.served, owner) < (me.served, place.owner)
        else:  # who begins later was served longer ago by then
            first = turn.running > me.running
        ahead += min(turn.waiting(device), max(0, level - turn.running + first))
    return 1 + own + ahead
