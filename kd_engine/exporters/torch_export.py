"""A portable network as a `torch.export` program: run by PyTorch, in any process, without this project's code."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from kd_engine.exporters.portable import Portable
from kd_engine.platform.files import write_atomically


def trace(portable: Portable, shape: tuple[int, int, int]) -> ExportedProgram:
    """The network as a graph for batches of any size.

    Args:
        shape: channels, height and width of an image.
    """
    example_BCHW = torch.zeros(2, *shape)  # of one image the batch would be taken for a constant
    with torch.no_grad(), own_noise_left_out():
        program = torch.export.export(portable, (example_BCHW,), dynamic_shapes={"images": {0: Dim("batch")}})
    for node in program.graph.nodes:
        node.meta.pop("stack_trace", None)  # names the files of this machine
    return program


def save_program(program: ExportedProgram, path: Path) -> None:
    """Writes the program, atomically."""
    buffer = io.BytesIO()
    with own_noise_left_out():
        torch.export.save(program, buffer)
    write_atomically(path, buffer.getvalue())


def run_program(path: Path, pixels_BCHW: Tensor) -> Tensor:
    """Logits of the program in `path`, read anew."""
    with own_noise_left_out(), torch.no_grad():
        logits_BK: Tensor = torch.export.load(path).module()(pixels_BCHW)
    return logits_BK


@contextmanager
def own_noise_left_out() -> Iterator[None]:
    """torch's exporter uses parts of torch that torch calls outdated; nobody who exports can do anything about it.

    Nor does a run's log gain from what its optimiser says of each of its steps.
    """
    for name in ("onnx_ir", "onnxscript"):
        logging.getLogger(name).setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)
        yield
