"""A network with what it needs to be used: its architecture, its classes and the normalisation of its images.

Shapes: B images, K classes, C channels, H and W pixels; N rows of a split.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from kd_engine.catalog import MODELS
from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION
from kd_engine.images.normalisation import Normalisation, OncePerBatch
from kd_engine.losses import Outputs
from kd_engine.models.ensemble import ENSEMBLE, Ensemble, Part
from kd_engine.models.foreign import LOGITS, ONNX, OnnxNetwork, build_foreign
from kd_engine.models.weights import WeightsFolder
from kd_engine.networks.build import build_network
from kd_engine.networks.features import FeatureTap
from kd_engine.networks.fold_batchnorm import cast_once, folded
from kd_engine.platform.files import write_atomically
from kd_engine.schema.errors import DataError

METADATA_KEY = "distillery"
_FOREIGN = (ONNX, LOGITS)
_PRECISIONS = {torch.float32: "float32", torch.bfloat16: "bf16"}


@dataclass(frozen=True)
class Architecture:
    """What has to be known to build a network and feed it.

    Attributes:
        model, params: a row of the catalogue and its parameters; or `ensemble`, and its `members`' architectures; or
            what was made elsewhere, `onnx` or `logits` (`models.foreign`).
        shape: channels, height, width of an image.
        mean, std: normalisation of pixels in [0, 1].
        task: a row of the catalogue: what the answers mean.
    """

    model: str
    params: dict[str, Any]
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    task: str = IMAGE_CLASSIFICATION

    def to_json(self) -> dict[str, Any]:
        data = {
            "model": self.model,
            "params": self.params,
            "shape": list(self.shape),
            "classes": list(self.classes),
            "mean": list(self.mean),
            "std": list(self.std),
        }
        # files of the first task stay what they were before there were others
        return data if self.task == IMAGE_CLASSIFICATION else data | {"task": self.task}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Architecture:
        return cls(
            model=data["model"],
            params=data["params"],
            shape=tuple(data["shape"]),
            classes=tuple(data["classes"]),
            mean=tuple(data["mean"]),
            std=tuple(data["std"]),
            task=data.get("task", IMAGE_CLASSIFICATION),
        )


@dataclass
class Network:
    """A module, the normalisation that it was trained with, and the type that it computes in."""

    architecture: Architecture
    module: nn.Module
    dtype: torch.dtype = torch.float32
    normalise: Normalisation | OncePerBatch = field(init=False)

    def __post_init__(self) -> None:
        self.normalise = Normalisation(self.architecture.mean, self.architecture.std)

    @property
    def parameters(self) -> int:
        """How many trainable numbers the network holds; of what was made elsewhere, as its file tells."""
        if self.architecture.model in _FOREIGN:
            return int(self.architecture.params.get("parameters", 0))
        return sum(parameter.numel() for parameter in self.module.parameters())

    @property
    def stages(self) -> int:
        """How many feature maps a tap gives."""
        return len(self._stage_names)

    def logits(self, images_BCHW: Tensor) -> Tensor:
        """float32 logits `[B, K]` of uint8 images."""
        with torch.autocast(images_BCHW.device.type, self.dtype, enabled=self.dtype != torch.float32):
            logits_BK: Tensor = self.module(self.normalise(images_BCHW))
        return logits_BK.float()

    @property
    def batch_dependent(self) -> bool:
        """Whether its logits of an image depend on the other images of the batch, as of some ONNX models."""
        return any(isinstance(part, OnnxNetwork) and part.batch_dependent for part in self.module.modules())

    def tap(self) -> FeatureTap:
        """The network with its stages' feature maps, for losses that compare them."""
        return FeatureTap(self.module, self._stage_names)

    @property
    def _stage_names(self) -> tuple[str, ...]:
        # an ensemble's members have maps of their own, but no mean of them means anything
        # and what was made elsewhere shows none
        return () if self.architecture.model in (ENSEMBLE, *_FOREIGN) else MODELS[self.architecture.model].stages

    def outputs(self, images_BCHW: Tensor, tap: FeatureTap | None) -> Outputs:
        """Logits, and feature maps where there is a tap, of uint8 images."""
        logits_BK = self.logits(images_BCHW)
        return Outputs(logits_BK, tap.take() if tap else ())

    def folded(self) -> Network:
        """The same function for inference, with BatchNorms folded into convolutions, and weights in the type that they
        are used in; this network stays as it is."""
        module = folded(self.module).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        cast_once(module, self.dtype)
        return Network(self.architecture, module.requires_grad_(False), self.dtype)

    def weights_sha256(self) -> str:
        """sha256 of weights and buffers, in hex."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.module.state_dict().items()):
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()

    def freeze(self) -> None:
        """Eval mode, no gradients: nothing that is done with the network changes it from here on."""
        self.module.eval()
        self.module.requires_grad_(False)


def build(architecture: Architecture, weights: WeightsFolder | None = None) -> Network:
    """A freshly initialised network (torch's global generator draws the weights), laid out channels last.

    With `weights`, those that its parameters ask for are then loaded from there.
    """
    if architecture.model == ENSEMBLE:
        return ensemble([build(Architecture.from_json(member)) for member in architecture.params["members"]])
    if architecture.model in _FOREIGN:
        return Network(architecture, build_foreign(architecture.model, architecture.params))
    module = build_network(
        architecture.model, architecture.params, architecture.shape, len(architecture.classes), weights
    )
    return Network(architecture, module.to(memory_format=torch.channels_last))  # type: ignore[call-overload]


def ensemble(members: Sequence[Network]) -> Network:
    """One network of several, for images and classes that all of them were checked against; see `Ensemble`."""
    architectures = [member.architecture for member in members]
    first = architectures[0]
    # each member normalises for itself: the whole takes pixels in [0, 1]
    whole = Architecture(
        model=ENSEMBLE,
        params={"members": [architecture.to_json() for architecture in architectures]},
        shape=first.shape,
        classes=first.classes,
        mean=(0.0,) * first.shape[0],
        std=(1.0,) * first.shape[0],
        task=first.task,
    )
    return Network(whole, Ensemble(Part(one.module, one.architecture.mean, one.architecture.std) for one in members))


def save_network(network: Network, path: Path, provenance: dict[str, Any]) -> None:
    """Writes weights and buffers as safetensors, with architecture and provenance in the metadata, atomically."""
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in network.module.state_dict().items()}
    about = {
        "format": 1,
        "architecture": network.architecture.to_json(),
        "precision": _PRECISIONS[network.dtype],
        "provenance": provenance,
    }
    # one key: safetensors writes several in random order, and equal networks should be equal files
    write_atomically(path, save(tensors, {METADATA_KEY: json.dumps(about, sort_keys=True)}))


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata that `save_network` wrote.

    Raises:
        DataError: not a safetensors file, or not one of ours.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[METADATA_KEY])
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise DataError(
            f"{path.name} is not a network of this project: expected a safetensors file with '{METADATA_KEY}' in its "
            f"metadata ({type(error).__name__}: {error})."
        ) from error
    return dict(about)


def load_network(path: Path) -> Network:
    """The network in `path`, in eval mode and as precise as it was, knowing nothing but the file.

    Raises:
        DataError: the file is not a network, or its weights do not fit its architecture.
    """
    about = read_metadata(path)
    architecture = Architecture.from_json(about["architecture"])
    network = build(architecture)
    network.dtype = next(dtype for dtype, name in _PRECISIONS.items() if name == about["precision"])
    with safe_open(path, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    try:
        network.module.load_state_dict(state)
    except RuntimeError as error:
        raise DataError(f"the weights in {path.name} do not fit '{architecture.model}': {error}") from error
    network.module.eval()
    return network
