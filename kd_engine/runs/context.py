"""What a run of any kind is given besides its spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from kd_engine.data.dataset import Dataset, load
from kd_engine.distributed.world import World
from kd_engine.jobspec import DatasetSpec
from kd_engine.jobspec.inputs import DATASET
from kd_engine.schema.events import Event
from kd_engine.schema.run_request import RunOptions


@dataclass(frozen=True)
class RunContext:
    """Where a run reads and writes, on what it computes, and who hears of it.

    Attributes:
        device: this process's own.
        threads: of this process, on the CPU.
        world: the processes that share the run; the first one writes and tells.
        emit: hears every event.
        should_stop: asked now and then; once true, the run is to end with `Interrupted`.
        checkpoint: the tree of the checkpoint to go on from; None where the run begins.
    """

    options: RunOptions
    device: torch.device
    threads: int
    world: World
    emit: Callable[[Event], None]
    should_stop: Callable[[], bool]
    checkpoint: dict[str, Any] | None = None

    def load(self, dataset: DatasetSpec) -> Dataset:
        """The data set, on the run's device; the first process reads it first, so that it is fetched once."""
        options = self.options
        with self.world.first_goes_ahead():
            data = load(dataset, options.data_dir, options.download, options.cache_dir, options.inputs.get(DATASET))
            return data.to(self.device)
