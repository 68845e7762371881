"""What every exporter is, and what it is given. Shapes: N images, B images in a batch, K classes."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Protocol

from torch import Tensor
from torch.export import ExportedProgram

from kd_engine.exporters.portable import Portable, trace
from kd_engine.networks.network import Architecture, Network

Run = Callable[[Tensor], Tensor]
"""A file at work: logits `[B, K]` of float32 pixels `[B, C, H, W]` in [0, 1], both on the CPU."""


class Exporter(Protocol):
    """One form of a student: its file, written and read anew. What is known without it is its row in the catalogue."""

    def write(self, student: Student, path: Path) -> None:
        """Writes the file, whole or not at all. What it raises is said in the report, and costs this form alone."""

    def load(self, path: Path) -> Run:
        """The file as another program would run it."""


class Student:
    """A network to export; what several forms need is made once.

    Attributes:
        calibration_NCHW: uint8 images that it was neither trained on nor is tested on.
        files: what was written by now, by form: those that a row `needs` are there.
    """

    def __init__(self, network: Network, calibration_NCHW: Tensor) -> None:
        self.network = network
        self.calibration_NCHW = calibration_NCHW
        self.files: dict[str, Path] = {}

    @property
    def architecture(self) -> Architecture:
        return self.network.architecture

    @cached_property
    def portable(self) -> Portable:
        """With its normalisation inside, on the CPU."""
        return Portable(self.network)

    @cached_property
    def program(self) -> ExportedProgram:
        """The portable network as a graph."""
        return trace(self.portable, self.architecture.shape)
