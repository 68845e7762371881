"""How much of this machine's GPUs is in use, as the driver's own `nvidia-smi` says; nothing where it is not there."""

from __future__ import annotations

import csv
import logging
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

log = logging.getLogger(__name__)
_PROGRAM = "nvidia-smi"
_QUERY = ("--query-gpu=index,uuid,memory.used,memory.total,utilization.gpu", "--format=csv,noheader,nounits")
_ANSWER_SECONDS = 5.0
_EVERY_SECONDS = 5.0
_MIB = 2**20


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        used_bytes, total_bytes: of its memory, by all processes.
        busy: share of the last moments in which it computed, 0 to 1.

    A number that the driver does not tell is None.
    """

    index: str
    uuid: str
    used_bytes: float | None
    total_bytes: float | None
    busy: float | None


def parse(output: str) -> list[Gpu]:
    """What `nvidia-smi` printed for the query; lines of another shape, such as its warnings, are passed over."""
    rows = (row for row in csv.reader(output.splitlines(), skipinitialspace=True) if len(row) == 5)
    return [
        Gpu(index, uuid, _scaled(used, _MIB), _scaled(total, _MIB), _scaled(busy, 0.01))
        for index, uuid, used, total, busy in rows
        if index.isdecimal()
    ]


def visible(gpus: Iterable[Gpu], devices: str | None) -> list[Gpu]:
    """Those that `CUDA_VISIBLE_DEVICES` leaves to this process; None: all."""
    if devices is None:
        return list(gpus)
    names = [name.strip() for name in devices.split(",") if name.strip()]
    return [gpu for gpu in gpus if any(name == gpu.index or _is_uuid_of(name, gpu) for name in names)]


def _is_uuid_of(name: str, gpu: Gpu) -> bool:
    return name.startswith("GPU-") and gpu.uuid.startswith(name)  # CUDA takes the beginning of one


def _scaled(text: str, factor: float) -> float | None:
    try:
        return float(text) * factor
    except ValueError:
        return None  # "[N/A]", "[Not Supported]"


class GpuUse(Collector):
    """Asks the driver when Prometheus asks, at most once in a few seconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gpus: list[Gpu] = []
        self._again_at = 0.0
        self._failed = False

    def describe(self) -> Iterable[Metric]:
        """The driver is not asked when this is registered."""
        return ()

    def collect(self) -> Iterable[Metric]:
        with self._lock:
            if time.monotonic() >= self._again_at:
                self._gpus = visible(self._ask(), os.environ.get("CUDA_VISIBLE_DEVICES"))
                self._again_at = time.monotonic() + _EVERY_SECONDS
            gpus = self._gpus
        used = GaugeMetricFamily("distillery_gpu_memory_used_bytes", "Memory in use on a GPU.", labels=["gpu"])
        total = GaugeMetricFamily("distillery_gpu_memory_total_bytes", "Memory of a GPU.", labels=["gpu"])
        busy = GaugeMetricFamily("distillery_gpu_busy_ratio", "Share of time in which a GPU computes.", labels=["gpu"])
        for gpu in gpus:
            for family, value in ((used, gpu.used_bytes), (total, gpu.total_bytes), (busy, gpu.busy)):
                if value is not None:
                    family.add_metric([gpu.index], value)
        return used, total, busy

    def _ask(self) -> list[Gpu]:
        program = shutil.which(_PROGRAM)
        if program is None:
            return []
        try:
            done = subprocess.run(
                [program, *_QUERY], capture_output=True, text=True, timeout=_ANSWER_SECONDS, check=True
            )
        except (OSError, subprocess.SubprocessError) as error:
            if not self._failed:  # once, not at every scrape
                log.warning("%s does not answer (%s): no metrics of GPUs", _PROGRAM, error)
            self._failed = True
            return []
        self._failed = False
        return parse(done.stdout)
