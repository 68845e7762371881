"""Weights from outside, as safetensors: of a network that is named beside them, or of one of ours, which names itself.

What they say is looked at before a network is built: a few bytes can name one of any size.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor

from kd_engine.data.dataset import Dataset
from kd_engine.models.ensemble import ENSEMBLE
from kd_engine.models.foreign import LOGITS, ONNX
from kd_engine.models.timm import TimmNetwork
from kd_engine.models.weight_names import misfit, unprefixed
from kd_engine.networks.network import METADATA_KEY, Architecture, Network, build, load_network, read_metadata
from kd_engine.platform.out_of_memory import shortage_behind
from kd_engine.schema.errors import DataError, EngineError

_MOST_TENSORS = 100_000
_MOST_MEMBERS = 16  # as of a teacher


def network_of(path: Path, architecture: Architecture) -> Network:
    """The network with the weights of the file.

    Raises:
        DataError: they cannot be read, or do not fit.
    """
    with _readable("the safetensors file cannot be read"):
        state = _state(path)
    _check_size(architecture, path)
    network = build(architecture)
    wanted = network.module.state_dict()
    ours = unprefixed(state, wanted)
    wrong = misfit(ours, wanted)
    if wrong is not None and isinstance(network.module, TimmNetwork):
        network.module.load_whole(state, len(architecture.classes))
        return network
    if wrong is not None:
        raise DataError(f"{_misfit(architecture)}: {wrong}.")
    network.module.load_state_dict({name: ours.get(name, tensor) for name, tensor in wanted.items()})
    return network


def own_network(path: Path, data: Dataset) -> Network:
    """The network of a job that the file is of.

    Raises:
        DataError: it is of none, or of one for other images or classes.
    """
    with _readable("the safetensors file cannot be read"), safe_open(path, framework="pt") as file:
        if METADATA_KEY not in (file.metadata() or {}):
            raise DataError("safetensors weights do not say what network they are of: name it with model=... .")
    with _readable("what the network says of itself is damaged"):
        found = Architecture.from_json(read_metadata(path)["architecture"])
        members = [found] if found.model != ENSEMBLE else [
            Architecture.from_json(member) for member in found.params["members"]
        ]  # fmt: skip
        foreign = any(member.model in (ENSEMBLE, ONNX, LOGITS) for member in members)
    if foreign or len(members) > _MOST_MEMBERS:
        # nobody has looked at an ONNX model in here
        raise DataError("the file holds a network that was made elsewhere; send the ONNX model or the logits as such.")
    if any((one.shape, one.classes) != (data.shape, data.classes) for one in (found, *members)):
        raise DataError(
            f"the network takes images {found.shape} of the classes {', '.join(map(str, found.classes[:5]))}, ...; the "
            f"data set has images {data.shape} of {', '.join(data.classes[:5])}, ..., in that order."
        )
    if any(one.task != data.task for one in (found, *members)):
        raise DataError(f"the network is of the task {found.task}, the data set of {data.task}; take one of its task.")
    _check_size(found, path)
    with _readable("what the network says of itself is damaged"):
        return load_network(path)


def _state(path: Path) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        names = list(file.keys())
        if len(names) > _MOST_TENSORS:
            raise DataError(f"the safetensors file holds {len(names):,} tensors; at most {_MOST_TENSORS:,} are taken.")
        return {name: file.get_tensor(name) for name in names}


def _check_size(architecture: Architecture, path: Path) -> None:
    """Before it is built: the file must hold a byte at least for each number."""
    try:
        with torch.device("meta"):
            state = build(architecture).module.state_dict()
    except EngineError:
        raise
    except Exception:  # some can only be built of real numbers
        return
    numbers, size = sum(tensor.numel() for tensor in state.values()), path.stat().st_size
    if numbers > size:
        raise DataError(f"{_misfit(architecture)}: that holds {numbers:,} numbers, and the file has {size:,} bytes.")


def _misfit(architecture: Architecture) -> str:
    return f"the weights do not fit '{architecture.model}' for {len(architecture.classes)} classes"


@contextmanager
def _readable(what: str) -> Iterator[None]:
    try:
        yield
    except EngineError:
        raise
    except Exception as error:  # safetensors, json and torch have errors of their own for each thing that can be wrong
        if shortage_behind(error) is not None:
            raise
        raise DataError(f"{what}: {str(error)[:500] or type(error).__name__}.") from error
