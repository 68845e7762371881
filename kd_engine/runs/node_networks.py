"""Builds the networks of a plan's nodes on the run's device, new or from a checkpoint."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import JobSpec, StudentSpec, TeacherSpec, TrainingSpec
from kd_engine.models.weights import WeightsFolder
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.networks.outputs import SplitLogits
from kd_engine.platform.device import training_dtype
from kd_engine.results.result import PhaseResult
from kd_engine.runs.plan import Train
from kd_engine.schema.phases import TEACHER, NodeName
from kd_engine.tasks import load_task
from kd_engine.training.rng import seeded


class NodeNetworks:
    """Makes the networks of a job.

    Args:
        spec: resolved.
        data: on `device`.
        weights: that a network's parameters may ask for.
    """

    def __init__(self, spec: JobSpec, data: Dataset, device: torch.device, weights: WeightsFolder) -> None:
        self._spec, self._data, self._device, self._weights = spec, data, device, weights
        self._task = load_task(data.task)

    def new(self, node: Train) -> Network:
        """The node's network with its first weights, drawn from the node's stream."""
        with seeded(node.seed, node.stream, "init"):
            network = build(self._architecture(node.network), self._weights)
        return self.place(network, node.recipe)

    def throwaway(self, choice: TeacherSpec | StudentSpec, recipe: TrainingSpec) -> Network:
        """A network of this kind with any weights, to be tried out."""
        with seeded(0, "trial", "init"):
            network = build(self._architecture(choice))
        return self.place(network, recipe)

    def place(self, network: Network, recipe: TrainingSpec | None) -> Network:
        """The same network on the device, in the type that its recipe asks for; one that is given: the student's."""
        network.module.to(self._device)
        precision = (recipe or self._spec.training).precision
        network.dtype = training_dtype(precision, network.module, self._device)
        return network

    def with_state(self, network: Network, state: dict[str, Tensor]) -> Network:
        """A network like this one with other weights, frozen."""
        other = build(network.architecture)
        other.module.load_state_dict(state)
        other.dtype = network.dtype
        other.freeze()
        return other

    def rebuilt(self, node: Train, kept: dict[str, Any]) -> PhaseResult:
        """The result of a node as `PhaseResult.to_tree` wrote it to a checkpoint."""
        network = build(Architecture.from_json(kept["architecture"]))
        network.module.load_state_dict(kept["module"])
        self.place(network, node.recipe).freeze()
        return PhaseResult(
            name=node.name,
            seed=kept["seed"],
            source=kept["source"],
            network=network,
            metrics=kept["metrics"],
            scores=self._task.restored(kept["outcomes"], self._data.test.labels_N),
            logits=self.test_logits(node.name, network),
            trainable=kept["trainable"],
            series=kept["series"],
            snapshots={int(epoch): self.with_state(network, state) for epoch, state in kept["snapshots"].items()},
        )

    def test_logits(self, name: NodeName, network: Network) -> SplitLogits:
        """Its outputs on the test split; others are compared with a teacher's, so that these are kept in memory."""
        return SplitLogits(network, self._data.test, keep=name.phase == TEACHER)

    def _architecture(self, choice: TeacherSpec | StudentSpec) -> Architecture:
        dataset, data = self._spec.dataset, self._data
        assert choice.model is not None, "it is trained here"
        assert dataset.mean is not None, "the spec is resolved"
        assert dataset.std is not None, "the spec is resolved"
        return Architecture(choice.model, choice.params, data.shape, data.classes, dataset.mean, dataset.std, data.task)
