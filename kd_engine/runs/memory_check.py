"""Whether a job fits into its device's memory, estimated before anything is trained.

What is counted is what a training step of the student cannot do without: the data, the weights with their gradients
and the optimiser's state, and what the forward pass keeps for the backward pass. The truth is always more, so only what
is far over the limit is refused; a job that is closer is tried.

What the forward pass keeps is measured, on the CPU with two images and with four, and grows by as much with each more.
(torch's `meta` device says the same without any computing, but takes seconds to import.)

Shapes: B images, C channels, H and W pixels.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import JobSpec, TrainingSpec
from kd_engine.networks.build import build_network
from kd_engine.optim.optimizers import SGD
from kd_engine.platform.device import training_dtype
from kd_engine.platform.memory_limit import machine_memory
from kd_engine.schema.errors import OutOfMemoryError

log = logging.getLogger(__name__)
# An estimate below so many times the memory is not trusted enough to refuse a job: a system may swap, a kernel may
# recompute.
_CERTAIN = 1.5
_MIB = 2**20


@dataclass(frozen=True)
class Estimate:
    """Bytes on one device, at least.

    Attributes:
        data: the images and labels.
        student: its weights, gradients and optimiser state.
        activations: what one batch's forward pass keeps for the backward pass.
    """

    data: int
    student: int
    activations: int

    @property
    def total(self) -> int:
        return self.data + self.student + self.activations


def check_memory(
    spec: JobSpec, data: Dataset, device: torch.device, processes: int = 1, allowed: int | None = None
) -> None:
    """Raises OutOfMemoryError where the job cannot fit; `spec` is resolved, the processes share a batch.

    Args:
        allowed: bytes of the machine's memory that all processes may hold together; all there is if None.
    """
    limit = memory_of(device, processes, allowed)
    found = None if limit is None else estimate(spec, data, device, processes)
    if limit is None or found is None or found.total <= _CERTAIN * limit:
        return
    parts = {"data": found.data, "student": found.student, "activations of a batch": found.activations}
    listed = ", ".join(f"{name} {size / _MIB:,.0f} MiB" for name, size in parts.items())
    changes = {
        "data": "a smaller data set, or smaller images",
        "student": "a smaller student",
        "activations of a batch": f"a smaller batch_size (it is {spec.training.batch_size}) or a smaller student",
    }
    raise OutOfMemoryError(
        f"this job needs at least {found.total / _MIB:,.0f} MiB ({listed}), and the device ({device.type}) has "
        f"{limit / _MIB:,.0f} MiB for it; take {changes[max(parts, key=parts.__getitem__)]}."
    )


def memory_of(device: torch.device, processes: int, allowed: int | None = None) -> int | None:
    """Bytes that one of the run's processes may use; None if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    memory = min((known for known in (machine_memory(), allowed) if known is not None), default=None)
    return None if memory is None else memory // processes


def estimate(spec: JobSpec, data: Dataset, device: torch.device, processes: int = 1) -> Estimate | None:
    """The least that training the student takes; None where it cannot be measured."""
    with torch.random.fork_rng(devices=[]):
        student = build_network(spec.student.model, spec.student.params, data.shape, len(data.classes))
        try:
            two, four = (_kept_for_backward(student, torch.zeros(count, *data.shape)) for count in (2, 4))
        except Exception as error:  # the training will say what is wrong with the network
            log.info("the memory that is needed cannot be measured: %s: %s", type(error).__name__, error)
            return None
    batch = min(spec.training.batch_size, len(data.train)) // processes
    kept = max(0, two + (four - two) * (batch - 2) // 2)
    if training_dtype(spec.training.precision, student, device) != torch.float32:
        kept //= 2
    return Estimate(_data_bytes(data), _training_bytes(student, spec.training), kept)


def _kept_for_backward(network: nn.Module, images_BCHW: Tensor) -> int:
    """Bytes of all tensors that autograd holds after a forward pass, weights left out, each storage once."""
    own = {tensor.untyped_storage()._cdata for tensor in (*network.parameters(), *network.buffers())}
    # the storages themselves are held: the address of one that is gone may be given to another
    kept: dict[int, Any] = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            kept[storage._cdata] = storage
        return tensor

    network.train()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        network(images_BCHW)
    return sum(storage.nbytes() for storage in kept.values())


def _training_bytes(network: nn.Module, recipe: TrainingSpec) -> int:
    trained = _bytes(parameter for parameter in network.parameters() if parameter.requires_grad)
    # the optimiser's state: two moments for each number, or SGD's momentum
    optimizer = recipe.optimizer
    states = int(optimizer.momentum > 0) if isinstance(optimizer, SGD) else 2
    return _bytes(network.parameters()) + (1 + states) * trained


def _bytes(tensors: Any) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _data_bytes(data: Dataset) -> int:
    splits = (data.train, data.validation, data.test)
    return _bytes(tensor for split in splits for tensor in (split.images_NCHW, split.labels_N))


_TOGETHER = 0.5  # of the memory: the rest is for data, teachers and what an estimate does not see
_MOST_TOGETHER = 64  # the checkpoint holds the state of all of them


def students_together(specs: Sequence[JobSpec], data: Dataset, device: torch.device, allowed: int | None) -> int:
    """How many students of a sweep may be in training at once: each keeps its weights twice, and its optimiser's state,
    while a batch's activations are those of one.

    Args:
        specs: settled.
        allowed: as for `check_memory`.
    """
    limit = memory_of(device, 1, allowed)
    distinct = {spec.model_dump_json(include={"student", "training"}): spec for spec in specs}
    found = [one for spec in distinct.values() if (one := estimate(spec, data, device)) is not None]
    if limit is None or not found:
        return _MOST_TOGETHER
    left = _TOGETHER * limit - max(one.data + one.activations for one in found)
    each = 1.5 * max(one.student for one in found)
    return max(1, min(_MOST_TOGETHER, int(left / each)))
