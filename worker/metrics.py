"""What a worker tells Prometheus: the job in its hand, what it has done, its GPUs."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

from jobs.settings import Settings
from jobs.telemetry.metrics import JobMetrics, Listener, new_registry
from kd_engine.schema.events import EpochEnd, Event, Progress
from worker.device import DeviceKind
from worker.gpu import GpuUse


class WorkerMetrics:
    """The registry of a worker, and what counts into it."""

    def __init__(self, settings: Settings, device: DeviceKind) -> None:
        self._settings = settings
        self.registry: CollectorRegistry = new_registry(settings)
        self.jobs = JobMetrics(self.registry)
        self._busy = self._gauge("distillery_worker_busy", "Whether the worker runs a job.")
        self._progress = self._gauge("distillery_training_progress_ratio", "How much of the running job is done.")
        self._images = self._gauge(
            "distillery_training_images_per_second", "Of the last epoch of the running job; 0 without one."
        )
        self._epochs = Counter(
            "distillery_training_epochs", "Epochs that were trained, by phase.", ["phase"], registry=self.registry
        )
        self._lease_losses = Counter(
            "distillery_lease_losses",
            "Times that the worker stopped its trainer because another attempt has, or may soon have, the job.",
            registry=self.registry,
        )
        if device == "cuda":
            self.registry.register(GpuUse())

    def _gauge(self, name: str, text: str) -> Gauge:
        return Gauge(name, text, registry=self.registry)

    def listener(self) -> Listener | None:
        """Serves them, where the settings say so; raises SettingsError when the port cannot be listened on."""
        return None if self._settings.metrics_port is None else Listener(self.registry, self._settings)

    def began(self) -> None:
        """An attempt begins."""
        self._busy.set(1)

    def heard(self, event: Event) -> None:
        """The trainer of the attempt reported something."""
        match event:
            case Progress():
                self._progress.set(event.fraction)
            case EpochEnd():
                self._epochs.labels(event.phase).inc()
                self._images.set(event.metrics.get("images_per_second", 0.0))

    def lost_lease(self) -> None:
        """The attempt is over because its lease is."""
        self._lease_losses.inc()

    def ended(self) -> None:
        """The attempt is over."""
        for gauge in (self._busy, self._progress, self._images):
            gauge.set(0)
