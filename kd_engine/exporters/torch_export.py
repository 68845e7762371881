"""A portable network as a `torch.export` program: run by PyTorch, in any process, without this project's code."""

from __future__ import annotations

import io
from pathlib import Path

import torch
from torch import Tensor

from kd_engine.exporters.base import Run, Student
from kd_engine.exporters.portable import own_noise_left_out
from kd_engine.platform.files import write_atomically


class TorchExport:
    """`torch.export.load(...).module()` runs it."""

    def write(self, student: Student, path: Path) -> None:
        buffer = io.BytesIO()
        program = student.program
        with own_noise_left_out():
            torch.export.save(program, buffer)
        write_atomically(path, buffer.getvalue())

    def load(self, path: Path) -> Run:
        with own_noise_left_out():
            module = torch.export.load(path).module()

        def run(pixels_BCHW: Tensor) -> Tensor:
            with own_noise_left_out(), torch.no_grad():
                logits_BK: Tensor = module(pixels_BCHW)
            return logits_BK

        return run
