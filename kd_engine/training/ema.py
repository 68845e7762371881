"""EMA, an exponential moving average of a network's weights: Polyak and Juditsky 1992; decay per step.

The decay rises with the steps, as in TensorFlow's ExponentialMovingAverage and in timm: a decay of .999 would
still hold 90 % of the random start after a hundred steps.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from kd_engine.networks.network import Network


class EMA:
    """A second network of the same architecture whose weights follow the first one's slowly.

    Buffers that are not floating point (counters) are copied. BatchNorm statistics are averaged like weights.
    """

    def __init__(self, network: Network, decay: float) -> None:
        self.network = Network(network.architecture, copy.deepcopy(network.module), network.dtype)
        self.network.freeze()
        self._decay = decay

    @torch.no_grad()
    def update(self, module: nn.Module, steps: int) -> None:
        """One step of the average: a <- d * a + (1 - d) * w, d = min(decay, (1 + n) / (10 + n)) after n `steps`."""
        decay = min(self._decay, (1 + steps) / (10 + steps))
        averaged, current = self.network.module.state_dict(), module.state_dict()
        floating = [name for name, tensor in averaged.items() if tensor.is_floating_point()]
        torch._foreach_lerp_([averaged[name] for name in floating], [current[name] for name in floating], 1 - decay)
        for name in averaged.keys() - set(floating):
            averaged[name].copy_(current[name])
