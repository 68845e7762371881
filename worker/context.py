"""The context of a worker: its settings, database, artifact store, metrics and spans."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from jobs.artifacts import ArtifactStore
from jobs.database import Database
from jobs.settings import Settings
from jobs.telemetry.spans import Spans, Unsent
from worker.device import DeviceKind
from worker.metrics import WorkerMetrics
from worker.room import Room


@dataclass(frozen=True)
class Services:
    """What a worker works with.

    Attributes:
        device: what it trains on; jobs that ask for another one are left to others.
        leaving: set when this worker is told to stop; its job is then handed back.
        beyond: the ids of jobs whose spec only a newer worker knows.
        in_hand: the ids of the jobs that this worker holds (one at most).
        spans: what becomes known of its attempts to those who collect traces.
        metrics: what it counts for Prometheus.
        room: whether its disks have room for another job.
    """

    settings: Settings
    database: Database
    store: ArtifactStore
    worker_id: str
    device: DeviceKind
    leaving: threading.Event = field(default_factory=threading.Event)
    in_hand: set[str] = field(default_factory=set)
    beyond: set[str] = field(default_factory=set)
    spans: Spans = field(default_factory=Unsent)
    metrics: WorkerMetrics = field(init=False)
    room: Room = field(init=False)

    def __post_init__(self) -> None:
        metrics = WorkerMetrics(self.settings, self.device)
        self.database.heard = metrics.jobs.heard
        object.__setattr__(self, "metrics", metrics)  # frozen, and made of the other parts
        object.__setattr__(self, "room", Room(self.settings))
