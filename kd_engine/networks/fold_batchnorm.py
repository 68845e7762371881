"""Folds each BatchNorm of a frozen network into the convolution before it: the same function, less memory traffic.

w' = w * gamma / sqrt(var + eps), b' = (b - mean) * gamma / sqrt(var + eps) + beta.
"""

from __future__ import annotations

import copy
import logging

import torch
from torch import fx, nn
from torch.nn.utils import fuse_conv_bn_eval

log = logging.getLogger(__name__)


def folded(module: nn.Module) -> nn.Module:
    """A copy of an eval-mode network with its BatchNorms folded, submodule names kept; `module` stays as it is.

    Only a BatchNorm that alone reads a convolution's output is folded. A network that cannot be traced (its course
    depends on the data) is copied as it is.
    """
    copied = copy.deepcopy(module).eval()
    for convolution, norm in _pairs(copied):
        before, after = copied.get_submodule(convolution), copied.get_submodule(norm)
        assert isinstance(before, nn.Conv2d)
        assert isinstance(after, nn.BatchNorm2d)
        _replace(copied, convolution, fuse_conv_bn_eval(before, after))
        _replace(copied, norm, nn.Identity())
    return copied


def cast_once(module: nn.Module, dtype: torch.dtype) -> None:
    """Keeps a frozen network's weights in the type that autocast would cast them to at each call: the same numbers.

    Only in plain convolutions and linear layers. Others may compute with their weights before they use them, in the
    type that these have.
    """
    for layer in module.modules():
        if type(layer) in (nn.Conv2d, nn.Linear):
            layer.to(dtype)


def _pairs(module: nn.Module) -> list[tuple[str, str]]:
    """Names of a convolution and the BatchNorm that follows it, for all such pairs."""
    try:
        graph = fx.symbolic_trace(module).graph
    except Exception as error:  # tracing runs the network's own code, which may raise anything
        log.info("not folded, because the network cannot be traced: %s", error)
        return []
    modules = dict(module.named_modules())
    calls = [node for node in graph.nodes if node.op == "call_module"]
    uses: dict[str, int] = {}
    for node in calls:
        uses[str(node.target)] = uses.get(str(node.target), 0) + 1
    pairs = []
    for node in calls:
        before = node.args[0] if node.args else None
        if not isinstance(before, fx.Node) or before.op != "call_module" or len(before.users) > 1:
            continue
        names = str(before.target), str(node.target)
        kinds = isinstance(modules[names[0]], nn.Conv2d) and isinstance(modules[names[1]], nn.BatchNorm2d)
        if kinds and all(uses[name] == 1 for name in names):
            pairs.append(names)
    return pairs


def _replace(root: nn.Module, name: str, new: nn.Module) -> None:
    parent, _, child = name.rpartition(".")
    setattr(root.get_submodule(parent), child, new)
