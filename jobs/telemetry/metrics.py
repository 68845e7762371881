"""What API and workers tell Prometheus alike, and the port on which they tell it.

Each process has a registry of its own, served on KD_METRICS_PORT. Imported only where a process keeps count: it loads
an HTTP server.
"""

from __future__ import annotations

import logging
import shutil
import threading
from collections.abc import Iterable
from wsgiref.simple_server import WSGIServer

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from distillery.states import EndReason
from jobs.committed_events import AttemptLost, CommittedEvent, FileListed, JobEnded, JobStarted
from jobs.settings import Settings, SettingsError

log = logging.getLogger(__name__)
# A second series for each counter and histogram, which nobody asks for.
disable_created_metrics()  # type: ignore[no-untyped-call]

_WAITS = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600, 24 * 3600)
_RUNS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 2 * 3600, 4 * 3600, 8 * 3600, 24 * 3600, 72 * 3600)


class JobMetrics:
    """What this process has done to jobs, since it started."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._waited = Histogram(
            "distillery_job_start_wait_seconds",
            "Time in the queue of jobs that a worker has taken.",
            buckets=_WAITS,
            registry=registry,
        )
        self._ran = Histogram(
            "distillery_job_run_seconds",
            "How long the attempts of jobs that have ended ran, all attempts of a job together.",
            buckets=_RUNS,
            registry=registry,
        )
        self._ended = Counter(
            "distillery_jobs_ended", "Jobs that have come to their end, by reason.", ["reason"], registry=registry
        )
        self._lost = Counter(
            "distillery_attempts_lost",
            "Attempts that were given up: the trainer died, or the worker let its lease end.",
            registry=registry,
        )
        self._stored = Counter(
            "distillery_artifact_stored_bytes",
            "Bytes of files that have become part of a job, by kind.",
            ["kind"],
            registry=registry,
        )
        # from the start, so that the first one is seen as a rise
        for reason in EndReason:
            self._ended.labels(reason.value)
        for kind in ("result", "checkpoint", "upload"):
            self._stored.labels(kind)

    def heard(self, item: CommittedEvent) -> None:
        """Counts what a transaction has done: `jobs.database.Database.heard`."""
        match item:
            case JobStarted():
                self._waited.observe(item.waited_seconds)
            case JobEnded():
                self._ended.labels(item.reason.value).inc()
                self._ran.observe(item.ran_seconds)
            case AttemptLost():
                self._lost.inc()
            case FileListed():
                self._stored.labels(item.kind).inc(item.size)


class DiskRoom(Collector):
    """The room under the folders of the settings; a folder that is not there (yet) is left out."""

    def __init__(self, settings: Settings) -> None:
        self._folders = {
            "home": settings.home,
            "artifacts": settings.artifacts_dir,
            "cache": settings.cache_dir,
            "runs": settings.runs_dir,
        }

    def collect(self) -> Iterable[Metric]:
        free = GaugeMetricFamily("distillery_disk_free_bytes", "Room left where a folder lies.", labels=["folder"])
        size = GaugeMetricFamily("distillery_disk_size_bytes", "Size of the disk of a folder.", labels=["folder"])
        for name, folder in self._folders.items():
            try:
                disk = shutil.disk_usage(folder)
            except OSError:
                continue
            free.add_metric([name], disk.free)
            size.add_metric([name], disk.total)
        return free, size


def new_registry(settings: Settings) -> CollectorRegistry:
    """A registry with what every process of the service tells: its memory and processor time, and the disks."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    registry.register(DiskRoom(settings))
    return registry


class Listener:
    """Serves a registry to Prometheus on KD_METRICS_PORT, from threads of its own, until it is closed.

    Raises:
        SettingsError: the port cannot be listened on.
    """

    def __init__(self, registry: CollectorRegistry, settings: Settings) -> None:
        assert settings.metrics_port is not None, "a process without the setting keeps no listener"
        host = settings.metrics_host
        try:
            made: tuple[WSGIServer, threading.Thread] = start_http_server(settings.metrics_port, host, registry)
        except OSError as error:
            raise SettingsError(
                f"KD_METRICS_PORT: cannot listen on {host} port {settings.metrics_port}: {error.strerror or error}. "
                "Each process that serves metrics needs a port of its own; 0 takes a free one."
            ) from None
        self._server, self._thread = made
        log.info("metrics on http://%s:%d/metrics", f"[{host}]" if ":" in host else host, self.port)

    @property
    def port(self) -> int:
        """The one that it took."""
        port: int = self._server.server_address[1]
        return port

    def close(self) -> None:
        """Ends it and frees the port; harmless the second time."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
