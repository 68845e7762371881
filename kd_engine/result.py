"""What a phase leaves behind: a network to keep and how it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor

from kd_engine.events import Phase
from kd_engine.network import Network

Source = Literal["trained", "cache", "given"]


@dataclass(frozen=True)
class PhaseResult:
    """A finished phase.

    Attributes:
        network: with the weights that count, frozen.
        metrics: `val_accuracy`, `val_loss`, `test_accuracy`, `test_loss`; `best_epoch` where it was trained here.
        correct_N: for each test image, whether it was named right.
        series: metrics of each epoch; empty when the network was given.
    """

    phase: Phase
    repeat: int
    seed: int
    source: Source
    network: Network
    metrics: dict[str, float]
    correct_N: Tensor
    series: list[dict[str, float]]

    def to_tree(self) -> dict[str, Any]:
        """The result as a checkpoint's tree; `phases.Phases.restore` puts it together again."""
        return {
            "phase": self.phase,
            "repeat": self.repeat,
            "seed": self.seed,
            "source": self.source,
            "architecture": self.network.architecture.to_json(),
            "module": dict(self.network.module.state_dict()),
            "metrics": self.metrics,
            "correct": self.correct_N,
            "series": self.series,
        }
