"""Cache of networks trained from labels alone, found by hash: teachers, and students alone (the control of a sweep)."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from kd_engine.jobspec import network_file
from kd_engine.networks.network import Network, load_network, save_network
from kd_engine.platform.files import write_atomically
from kd_engine.schema.errors import DataError


@dataclass(frozen=True)
class Trained:
    """A trained network and its training's course.

    Attributes:
        series: metrics of each epoch.
        best_epoch: whose weights these are, from 1.
        snapshots: the network as it was after some epochs.
    """

    network: Network
    series: list[dict[str, float]]
    best_epoch: int
    snapshots: dict[int, Network] = field(default_factory=dict)


class TrainedCache:
    """A folder of trained networks: a file each for the course, the weights and every snapshot. Safe to share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, name: str) -> Trained | None:
        """The network of this hash. A damaged entry counts as none, and is trained again."""
        try:
            course = json.loads(self._course(name).read_text())
            snapshots = {epoch: load_network(self._weights(name, epoch)) for epoch in course["snapshots"]}
            return Trained(load_network(self._weights(name)), course["series"], course["best_epoch"], snapshots)
        except (OSError, ValueError, KeyError, TypeError, DataError):
            return None

    def keep(self, name: str, trained: Trained) -> None:
        """Adds a network; the weights go last, so that an entry is whole once they are there."""
        course = {"series": trained.series, "best_epoch": trained.best_epoch, "snapshots": [*trained.snapshots]}
        write_atomically(self._course(name), json.dumps(course))
        for epoch, network in trained.snapshots.items():
            save_network(network, self._weights(name, epoch), {"hash": name, "epoch": epoch})
        save_network(trained.network, self._weights(name), {"hash": name})

    def _weights(self, name: str, epoch: int | None = None) -> Path:
        return self._folder / network_file(name, epoch)

    def _course(self, name: str) -> Path:
        return self._folder / f"{name}.json"
