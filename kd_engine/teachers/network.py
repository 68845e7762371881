"""A trained network that teaches, however many students ask it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from kd_engine.networks.network import Network


@dataclass
class TeacherNetwork:
    """A network that no longer changes.

    Attributes:
        network: frozen here: eval mode, no gradients.
    """

    network: Network

    def __post_init__(self) -> None:
        self.network.freeze()

    @cached_property
    def folded(self) -> Network:
        """The same function, with BatchNorms folded into convolutions: what computes its answers."""
        return self.network.folded()

    @cached_property
    def sha256(self) -> str:
        """Of its weights and buffers."""
        return self.network.weights_sha256()
