"""Compiles a teacher's forward pass with torch.compile. Shapes: B images in the batch, C channels, H and W pixels."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from kd_engine.networks.features import FeatureTap
from kd_engine.networks.network import Network
from kd_engine.platform.heartbeat import one_call
from kd_engine.schema.errors import InvalidSpecError

# No helper processes: a trainer leaves none behind. The weights are constants, so they are laid out once for good.
_OPTIONS: dict[str, str | int | bool | Callable[..., Any]] = {"compile_threads": 1, "freezing": True}

_MOST_SECONDS = 3600.0  # of a large network on a slow machine


@dataclass
class Compiler:
    """Compiles frozen networks and sums up what that took.

    Attributes:
        folder: what was compiled is kept there, for later runs.
        batch_size: of a training step.
        seconds: spent so far, torch's compiler imported and each network run once.
    """

    folder: Path
    batch_size: int
    seconds: float = field(default=0.0, init=False)

    def compiled(self, network: Network, images_BCHW: Tensor, tap: FeatureTap | None = None) -> Network:
        """The same function, compiled for batches of as many images as these; others run as they did.

        Args:
            network: in eval mode, not to change from here on.
            images_BCHW: uint8; the compiled network is run on them once.
            tap: on `network`, where feature maps are wanted; one that is made later would hear nothing.

        Raises:
            InvalidSpecError: this machine cannot compile.
        """
        start = time.perf_counter()
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(self.folder)
        torch.compiler.reset()  # torch gives up on code that it has compiled for many networks, as in repeats
        fast = Network(network.architecture, _Compiled(network.module, len(images_BCHW)), network.dtype)
        from torch._dynamo.exc import TorchDynamoException

        try:
            with torch.no_grad(), one_call("compiling the teacher", seconds=_MOST_SECONDS):
                fast.outputs(images_BCHW, tap)
        except TorchDynamoException as error:
            reason = str(error).strip().partition("\n")[0]
            raise InvalidSpecError(
                f"training.compile is true, but this machine could not compile the teacher: {reason} It needs a C++ "
                "compiler (install g++) and, on a GPU, triton. Install what is missing, or leave 'compile' out."
            ) from error
        self.seconds += time.perf_counter() - start
        return fast


class _Compiled(nn.Module):
    """One size of batch compiled; an epoch's shorter last batch is not worth another compilation."""

    def __init__(self, module: nn.Module, batch_size: int) -> None:
        super().__init__()
        self.module = module
        self._batch_size = batch_size
        self._fast = torch.compile(module.forward, dynamic=False, options=_OPTIONS)

    def forward(self, pixels_BCHW: Tensor) -> Tensor:
        compiled = len(pixels_BCHW) == self._batch_size
        logits_BK: Tensor = self._fast(pixels_BCHW) if compiled else self.module(pixels_BCHW)
        return logits_BK
