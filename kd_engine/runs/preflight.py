"""What can be seen of a job's networks before anything is trained.

Shapes: B images in the batch, C channels, H and W pixels.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from kd_engine.catalog import MODELS, ModelRow
from kd_engine.catalog.models.timm import PREFIX
from kd_engine.data.dataset import Dataset
from kd_engine.distributed.world import World
from kd_engine.jobspec import JobSpec
from kd_engine.losses.base import FeatureLoss, MapShape
from kd_engine.networks.build import build_network
from kd_engine.networks.features import FeatureTap
from kd_engine.networks.network import Architecture, read_metadata
from kd_engine.schema.errors import InvalidSpecError
from kd_engine.schema.warnings import SpecWarning


def preflight(
    spec: JobSpec, data: Dataset, world: World, device: torch.device, given: Path | None = None
) -> Iterator[SpecWarning]:
    """Looks at the machine and at the job's networks; yields what is to be looked at in the spec.

    Args:
        spec: settled.
        device: this process's own.
        given: the file of a teacher that is not trained here.

    Raises:
        InvalidSpecError: a network cannot be built, cannot take batches of one image, or has feature maps that a loss
            cannot compare. The run would find out too, but after the teacher was trained.
    """
    if device.type == "cpu" and world.size > (cores := _cores()):
        message = (
            f"{world.size} processes train on {cores} core{'s' * (cores > 1)} of the worker's machine: they wait for "
            "each other. Ask for fewer devices."
        )
        yield SpecWarning(code="more_devices_than_cores", pointer="/resources/devices", message=message)
    losses = [(at, loss) for at, loss in enumerate(spec.objective()[0]) if isinstance(loss, FeatureLoss)]
    maps = []
    for role, choice, recipe in (("student", spec.student, spec.training), ("teacher", spec.teacher, None)):
        recipe = recipe or spec.teacher.training
        if choice.model is None or recipe is None:
            break  # a teacher that is given
        single = recipe.batch_size == 1
        if not (losses or single or choice.model.startswith(PREFIX)):
            continue
        module, on = _outline(choice.model, choice.params, data)
        if single:
            _check_batch_of_one(role, module, data, on)
        if losses:
            maps.append(_maps(module, choice.row, data, on))
    if losses and given is not None:
        teacher = Architecture.from_json(read_metadata(given)["architecture"])
        row = MODELS.get(teacher.model)
        for _, loss in losses:
            if (problem := loss.misfit(len(spec.student.row.stages), len(row.stages) if row else 0)) is not None:
                raise InvalidSpecError(problem)
        if row is None or teacher.shape != data.shape:
            return  # of other images: its phase says so, which is the first
        module, on = _outline(teacher.model, teacher.params, data)
        maps.append(_maps(module, row, data, on))
    if len(maps) < 2:
        return
    for position, loss in losses:
        if (weak := loss.check_maps(*maps)) is not None:
            yield SpecWarning(code="maps_of_one_pixel", pointer=f"/losses/{position}", message=weak)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _outline(model: str, params: Mapping[str, Any], data: Dataset) -> tuple[nn.Module, torch.device]:
    """A network of this kind, for its shapes alone, and where it lies: those of timm are large and take no memory."""
    on = torch.device("meta" if model.startswith(PREFIX) else "cpu")
    with torch.random.fork_rng([]), on:
        return build_network(model, params, data.shape, len(data.classes)), on


@torch.no_grad()
def _check_batch_of_one(role: str, module: nn.Module, data: Dataset, on: torch.device) -> None:
    try:
        module.train()(torch.zeros(1, *data.shape, device=on))
    except ValueError as error:
        raise InvalidSpecError(
            f"the {role} cannot be trained with batch_size 1: its BatchNorm sees one number a channel, where its maps "
            f"of images of {data.shape[1]}x{data.shape[2]} pixels are down to one pixel ({error}). Take a batch_size "
            "of 2 or more, larger images, or a network without BatchNorm."
        ) from error


@torch.no_grad()
def _maps(module: nn.Module, row: ModelRow, data: Dataset, on: torch.device) -> tuple[MapShape, ...]:
    with FeatureTap(module, row.stages) as tap:
        module.eval()(torch.zeros(1, *data.shape, device=on))
        found = tap.take()
    shapes = []
    for feature in found:
        channels, height, width = feature.shape[1:]
        shapes.append((channels, height, width))
    return tuple(shapes)
