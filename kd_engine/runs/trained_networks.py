"""Networks that earlier jobs have trained on the labels alone: teachers, and the control of every distillation."""

from __future__ import annotations

from kd_engine.data.dataset import Dataset
from kd_engine.distributed.world import World
from kd_engine.jobspec import DatasetSpec, StudentSpec, TeacherSpec, alone_hash, teacher_hash
from kd_engine.models.weights import WeightsFolder
from kd_engine.networks.cache import Trained, TrainedCache
from kd_engine.results.result import PhaseResult
from kd_engine.runs.context import RunContext
from kd_engine.runs.plan import Train
from kd_engine.schema.errors import DataError


class TrainedNetworks:
    """What the cache, which all jobs share, holds of the nodes of a job.

    Args:
        dataset: resolved.
        data: what was read of it.
        weights: that a network's parameters may ask for.
    """

    def __init__(self, dataset: DatasetSpec, data: Dataset, context: RunContext, weights: WeightsFolder) -> None:
        self._dataset, self._data, self._weights = dataset, data, weights
        self._world: World = context.world
        folder = context.options.cache_dir
        self._teachers, self._students_alone = (
            TrainedCache(folder / "teachers"),
            TrainedCache(folder / "students-alone"),
        )

    def find(self, node: Train) -> Trained | None:
        """The node's network if the first process finds it: all of them go the same way.

        Raises:
            DataError: it went out of the cache in between.
        """
        cache, name = self._place(node)
        cached = cache.find(name) if self._world.is_main else None
        [found] = self._world.broadcast([cached is not None])
        if found and cached is None:
            cached = cache.find(name)
            if cached is None:
                raise DataError("a network went out of the cache while the run was taking it from there; run it again.")
        return cached

    def keep(self, node: Train, result: PhaseResult) -> None:
        """Adds what was trained."""
        if not self._world.is_main:
            return
        cache, name = self._place(node)
        cache.keep(name, Trained(result.network, result.series, int(result.metrics["best_epoch"]), result.snapshots))

    def _place(self, node: Train) -> tuple[TrainedCache, str]:
        assert node.recipe is not None, "it is trained here"
        network, sha256 = node.network, self._data.split_sha256
        weights = self._weights.sha256(network.params)
        match network:
            case TeacherSpec():
                return self._teachers, teacher_hash(network, self._dataset, sha256, weights)
            case StudentSpec():
                name = alone_hash(network, node.recipe, node.seed, self._dataset, sha256, weights)
                return self._students_alone, name
