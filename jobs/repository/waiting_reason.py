"""Why a queued job waits, and at which place, as it is at the moment of asking."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from sqlalchemy import BindParameter, Connection, String, bindparam, exists, func, or_, select
from sqlalchemy.orm import Session

from distillery.quota import Quota
from distillery.states import JobState
from jobs.clock import now
from jobs.repository import positions
from jobs.repository.positions import ANY, HEARD_SECONDS
from jobs.tables import Job, Worker


@dataclass(frozen=True)
class Waiting:
    """Why a job waits. For one job the same `code` comes with the same `detail`, as long as the settings stay.

    `position` is as `jobs.repository.positions` has it; None where it was not looked up.
    """

    code: Literal["no_worker", "no_room", "quota", "turn"]
    detail: str
    position: int | None = None


NO_ROOM = Waiting(
    "no_room",
    "No worker for its device has room on its disks; it starts once some is freed there. GET /readyz says where.",
)
TURN = Waiting(
    "turn",
    "It starts when a worker is free and its turn has come: owners with fewer running jobs go first, then an owner's "
    "jobs of higher priority, then older ones.",
)

# Made once: making them takes longer than running them.
_device: BindParameter[str] = bindparam("device", type_=String())
_AT_WORK = (Worker.seen_at >= now(-HEARD_SECONDS), or_(_device == ANY, Worker.device == _device))
_HEARD, _TAKING = exists().where(*_AT_WORK), exists().where(*_AT_WORK, Worker.lacks.is_(None))
_RUNNING = select(func.count()).where(Job.state == JobState.RUNNING, Job.owner == bindparam("owner")).scalar_subquery()
_UNLIMITED = select(_HEARD, _TAKING)
_LIMITED = select(_HEARD, _TAKING, _RUNNING)


def why(
    source: Session | Connection, device: str, owner: str, quota: Quota, rank: int, job_id: str = positions.NEW
) -> Waiting:
    """Why a queued job of this owner that asks for this device does not run, or one that is yet to come will not."""
    position = positions.of_one(source, owner, device, rank, job_id)
    return replace(_reason(source, device, owner, quota), position=position)


def _reason(source: Session | Connection, device: str, owner: str, quota: Quota) -> Waiting:
    statement = _UNLIMITED if quota.running is None else _LIMITED
    heard, taking, *running = source.execute(statement, {"device": device, "owner": owner}).one()
    if not heard:
        return _no_worker(device)
    if quota.running is not None and running[0] >= quota.running:
        return _over_quota(owner, quota.running)
    return TURN if taking else NO_ROOM


def absence(source: Session | Connection, device: str) -> str | None:
    """Says that no worker for this device is there; None where one is."""
    heard, _ = source.execute(_UNLIMITED, {"device": device}).one()
    return None if heard else f"{_silence(device)}."


def _silence(device: str) -> str:
    kind = "worker" if device == ANY else f"worker with device '{device}'"
    return f"No {kind} was heard in the last {HEARD_SECONDS:g} seconds"


def _no_worker(device: str) -> Waiting:
    start = "python -m worker" if device == ANY else f"KD_DEVICE={device} python -m worker"
    where = " where a GPU is" if device == "cuda" else ""
    instead = (
        "; or cancel the job, and leave 'device' out of its resources, or give them a 'queue_timeout_seconds'"
        if device == "cuda"
        else ""
    )
    return Waiting("no_worker", f"{_silence(device)}; start one{where}: {start}{instead}")


def _over_quota(owner: str, limit: int) -> Waiting:
    jobs = "1 job" if limit == 1 else f"{limit} jobs"
    return Waiting("quota", f"Of '{owner}' at most {jobs} may run at the same time; it starts when one of them ends.")
