"""What a node of the plan leaves behind: a network to keep and how it did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from kd_engine.networks.network import Network
from kd_engine.networks.outputs import SplitLogits
from kd_engine.schema.phases import NodeName, TrainedPhase
from kd_engine.tasks.base import Scores

Source = Literal["trained", "cache", "given"]


@dataclass(frozen=True)
class PhaseResult:
    """A finished node.

    Attributes:
        network: with the weights that count, frozen.
        metrics: `val_accuracy`, `val_loss`, those of `tasks.evaluate.score` on the test split; `best_epoch` where
            it was trained here.
        scores: what it said of each test image.
        logits: its outputs on the test split, for others to be compared with; a teacher's are kept in memory.
        trainable: how many parameters were trained; None when the network was not trained here.
        series: metrics of each epoch; empty when the network was given.
        snapshots: the network as it was after some epochs.
    """

    name: NodeName
    seed: int
    source: Source
    network: Network
    metrics: dict[str, float]
    scores: Scores
    logits: SplitLogits
    trainable: int | None
    series: list[dict[str, float]]
    snapshots: dict[int, Network] = field(default_factory=dict)

    @property
    def phase(self) -> TrainedPhase:
        return self.name.phase

    @property
    def repeat(self) -> int:
        return self.name.repeat

    def to_tree(self) -> dict[str, Any]:
        """The result as a checkpoint's tree; `runs.node_networks.NodeNetworks.rebuilt` puts it together again."""
        return {
            **self.name._asdict(),
            "seed": self.seed,
            "source": self.source,
            "architecture": self.network.architecture.to_json(),
            "module": dict(self.network.module.state_dict()),
            "metrics": self.metrics,
            "outcomes": self.scores.to_tree(),
            "trainable": self.trainable,
            "series": self.series,
            "snapshots": {str(epoch): dict(network.module.state_dict()) for epoch, network in self.snapshots.items()},
        }
