"""Checkpoints: a tree of tensors and JSON values in one safetensors file. Nothing is pickled, nothing is half written.

A tree is nested dicts and lists whose leaves are tensors, strings, numbers, booleans or None.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kd_engine.platform.files import write_atomically
from kd_engine.schema.errors import DataError

_KEY = "checkpoint"


def save_tree(tree: dict[str, Any], path: Path) -> None:
    """Writes `tree` atomically.

    Raises:
        DiskFullError: no room; an earlier checkpoint at `path` is intact.
    """
    tensors: dict[str, Tensor] = {}
    skeleton = json.dumps(_take_apart(tree, tensors), sort_keys=True)
    write_atomically(path, save(tensors, {_KEY: skeleton}))


def load_tree(path: Path) -> dict[str, Any]:
    """The tree in `path`, tensors on the CPU.

    Raises:
        DataError: the file is not a whole checkpoint.
    """
    try:
        with safe_open(path, framework="pt") as file:
            skeleton = json.loads((file.metadata() or {})[_KEY])
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DataError(f"{path.name} is not a whole checkpoint ({type(error).__name__}: {error}).") from error
    return dict(_put_together(skeleton, tensors))


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """The optimiser's state as a tree, keyed by the parameter's position."""
    return {str(position): dict(values) for position, values in optimizer.state_dict()["state"].items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, state: dict[str, Any]) -> None:
    """Puts back what `optimizer_state` took.

    Each tensor takes the memory layout of its parameter: the fused optimisers walk both in memory order.
    """
    whole = optimizer.state_dict()
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    whole["state"] = {
        int(position): {name: _like(parameters[int(position)], value) for name, value in values.items()}
        for position, values in state.items()
    }
    optimizer.load_state_dict(whole)


def _like(parameter: Tensor, value: Any) -> Any:
    if isinstance(value, Tensor) and value.shape == parameter.shape:
        return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)
    return value


def _take_apart(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        name = str(len(tensors))
        # a copy: safetensors refuses tensors that share memory
        tensors[name] = value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format)
        return {"tensor": name}
    if isinstance(value, dict):
        return {"dict": {key: _take_apart(child, tensors) for key, child in value.items()}}
    if isinstance(value, list | tuple):
        return {"list": [_take_apart(child, tensors) for child in value]}
    return {"value": value}


def _put_together(node: dict[str, Any], tensors: dict[str, Tensor]) -> Any:
    if "tensor" in node:
        return tensors[node["tensor"]]
    if "dict" in node:
        return {key: _put_together(child, tensors) for key, child in node["dict"].items()}
    if "list" in node:
        return [_put_together(child, tensors) for child in node["list"]]
    return node["value"]
