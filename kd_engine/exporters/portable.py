"""A network as other programs want it. Shapes: B images in a batch, C channels, H and W pixels, K classes."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.export import Dim, ExportedProgram

from kd_engine.networks.network import Network


class Portable(nn.Module):
    """A copy of a network on the CPU, in float32, with its normalisation inside.

    It takes what every image library gives: float32 images `[B, C, H, W]` of pixels in [0, 1]; and returns logits
    `[B, K]`. The copy is laid out plainly (not channels last): an exported graph says nothing of memory.
    """

    mean_C11: Tensor
    std_C11: Tensor

    def __init__(self, network: Network) -> None:
        super().__init__()
        self.module = copy.deepcopy(network.module).to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        self.register_buffer("mean_C11", torch.tensor(network.architecture.mean).reshape(-1, 1, 1))
        self.register_buffer("std_C11", torch.tensor(network.architecture.std).reshape(-1, 1, 1))
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        logits_BK: Tensor = self.module((images - self.mean_C11) / self.std_C11)
        return logits_BK


def as_pixels(images_BCHW: Tensor) -> Tensor:
    """What a portable network takes, from uint8 images on any device."""
    return images_BCHW.cpu().contiguous().float().div_(255)


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
