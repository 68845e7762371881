"""What the API tells Prometheus: jobs and queues as the database has them, requests, event streams.

Imported only where KD_METRICS_PORT is set.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from api.middleware.access_log import Answered
from distillery.states import JobState
from jobs.database import Database
from jobs.repository import Counts
from jobs.settings import Settings
from jobs.telemetry.metrics import JobMetrics, Listener, new_registry
from jobs.wakeup import DEVICES

_CENSUS_SECONDS = 5.0
_ASKED_FOR = ("auto", *DEVICES)
_LATENCIES = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class ApiMetrics:
    """The registry of an API process, and what counts into it."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.registry = new_registry(settings)
        self.jobs = JobMetrics(self.registry)
        self._latency = Histogram(
            "distillery_http_request_seconds",
            "Time until the answer to a request begins, by route, method and class of status.",
            ["route", "method", "status"],
            buckets=_LATENCIES,
            registry=self.registry,
        )
        self._sent = Counter(
            "distillery_artifact_sent_bytes", "Bytes of files that the API has sent.", registry=self.registry
        )
        self._streams = Gauge(
            "distillery_event_streams", "Event streams and waiting reads that are open.", registry=self.registry
        )
        self._children: dict[tuple[str, str, int], Histogram] = {}
        self._listener: Listener | None = None

    def open(self, database: Database, streams: Callable[[], int]) -> None:
        """Begins to count and to serve; raises SettingsError when the port cannot be listened on."""
        database.heard = self.jobs.heard
        self._streams.set_function(streams)
        self.registry.register(CountsCollector(database))
        self._listener = Listener(self.registry, self._settings)

    @property
    def port(self) -> int | None:
        """Where they are served, once they are."""
        return None if self._listener is None else self._listener.port

    def close(self) -> None:
        """Ends serving."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def answered(self, request: Answered) -> None:
        """Counts an answered request."""
        key = (request.route, request.method, request.status // 100)
        child = self._children.get(key)
        if child is None:  # looked up once: the library's own way costs more than the counting
            child = self._children[key] = self._latency.labels(key[0], key[1], f"{key[2]}xx")
        child.observe(request.seconds)
        if request.file_bytes:
            self._sent.inc(request.file_bytes)


class CountsCollector(Collector):
    """Jobs, queues and workers, as the database has them; asked at most once in a few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._counts: Counts | None = None
        self._again_at = 0.0

    def describe(self) -> Iterable[Metric]:
        """Nothing is asked of the database when this is registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            counts = self._fresh()
        up = GaugeMetricFamily("distillery_database_up", "Whether the database answers.", value=counts is not None)
        return (up,) if counts is None else (up, *_families(counts))

    def _fresh(self) -> Counts | None:
        if time.monotonic() >= self._again_at:
            try:
                with self._database.read() as repository:
                    self._counts = repository.counts()
            except SQLAlchemyError:
                self._counts = None
            self._again_at = time.monotonic() + _CENSUS_SECONDS
        return self._counts


def _families(counts: Counts) -> Iterable[Metric]:
    jobs = GaugeMetricFamily(
        "distillery_jobs", "Jobs that there are, by state and by the device they ask for.", labels=["state", "device"]
    )
    for state in JobState:
        for device in _ASKED_FOR:
            jobs.add_metric([state.value, device], counts.jobs.get((state, device), 0))
    age = GaugeMetricFamily(
        "distillery_queue_age_seconds",
        "How long the oldest waiting job waits, by the device it asks for; 0 without one.",
        labels=["device"],
    )
    for device in _ASKED_FOR:
        age.add_metric([device], counts.oldest_queued.get(device, 0.0))
    workers = GaugeMetricFamily("distillery_workers", "Workers heard in the last minute, by device.", labels=["device"])
    for device in DEVICES:
        workers.add_metric([device], counts.workers.get(device, 0))
    stalled = GaugeMetricFamily(
        "distillery_jobs_stalled", "Running jobs whose trainer shows no progress.", value=counts.stalled
    )
    return jobs, age, workers, stalled
