"""What each of several real processes does for `test_distributed.py`: two steps on each case's objective.

Shapes: B images in the batch, C, H, W of an image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kd_engine.data.dataset import Split
from kd_engine.data.loader import batches
from kd_engine.distributed.joined import joined
from kd_engine.distributed.world import ProcessInfo, World
from kd_engine.images.augmentations import Augmentation, Crop, Flip
from kd_engine.images.augmentations.mixing import CutMix
from kd_engine.losses import LOSSES, Loss
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.teachers.live import LiveTeacher
from kd_engine.teachers.network import TeacherNetwork
from kd_engine.training.objective import Objective
from kd_engine.training.rng import generator, seeded

IMAGES, BATCH = 24, 22  # the second batch has two images: three processes cannot have one each
Numbers = dict[str, Tensor]


@dataclass(frozen=True)
class Case:
    """An objective, and what its batches look like."""

    losses: dict[str, dict[str, Any]] = field(default_factory=dict)
    augmentation: tuple[Augmentation, ...] = (Crop(padding=1), Flip())
    dtype: torch.dtype = torch.float64


class _Double(Network):
    """Computes in float64: in float32 noise may push a ReLU's input over zero, which changes a gradient by percents."""

    def logits(self, images_BCHW: Tensor) -> Tensor:
        logits_BK: Tensor = self.module(self.normalise(images_BCHW).double())
        return logits_BK


CASES = {kind: Case({kind: {"warmup_epochs": 0} | ({"negatives": 5} if kind == "crd" else {})}) for kind in LOSSES} | {
    "cross-entropy": Case(),
    "mixed images": Case(augmentation=(Flip(), CutMix()), dtype=torch.float32),
    "several": Case({"kl": {}, "rkd": {}, "sp": {}, "fitnets": {}}),
    "bf16": Case({"kl": {}}, dtype=torch.bfloat16),
}


def run_cases(rank: int, size: int, folder: Path) -> None:
    """Leaves what process `rank` of `size` found in each case: terms, gradients, weights, statistics, banks."""
    torch.set_num_threads(1)
    with joined(ProcessInfo(rank, size, f"file://{folder}/rendezvous"), torch.device("cpu")) as world:
        torch.save({name: _two_steps(case, world) for name, case in CASES.items()}, folder / f"{rank}.pt")


def _two_steps(case: Case, world: World) -> Numbers:
    draws = torch.Generator().manual_seed(0)
    images_NCHW = torch.randint(0, 256, (IMAGES, 1, 8, 8), dtype=torch.uint8, generator=draws)
    train = Split(images_NCHW, torch.arange(IMAGES) % 3)
    student, teacher = _network(1, case.dtype), _network(2, torch.float32)
    found: Numbers = {}
    with seeded(3):
        losses = tuple(LOSSES[kind].model_validate(values) for kind, values in case.losses.items())
        objective = Objective(student, losses=losses, teacher=_live(teacher, losses), train=train, world=world)
    student.module.train()
    parameters = [*student.module.parameters(), *objective.parameters()]
    with objective:
        for step, batch in enumerate(batches(train, BATCH, generator(0), case.augmentation, world=world)):
            terms = objective.terms(batch, 1.0)
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
            values = torch.stack(list(terms.values())).detach()
            gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
            world.sum_([values, *gradients])
            found |= {f"{step} terms": values, f"{step} gradient": torch.cat([one.flatten() for one in gradients])}
            with torch.no_grad():
                for parameter in parameters:
                    if parameter.grad is not None:
                        parameter.add_(parameter.grad / parameter.grad.norm().clamp(min=1.0), alpha=-1e-4)
                        parameter.grad = None
        state = {name: value for name, value in objective.state().items() if isinstance(value, Tensor)}
    return found | student.module.state_dict() | state


def _live(teacher: Network, losses: tuple[Loss, ...]) -> LiveTeacher:
    return LiveTeacher(TeacherNetwork(teacher), features=any(loss.uses_features for loss in losses))


def _network(seed: int, dtype: torch.dtype) -> Network:
    with seeded(seed):
        network = build(Architecture("resnet8", {}, (1, 8, 8), ("a", "b", "c"), (0.5,), (0.25,)))
    if dtype == torch.float64:
        return _Double(network.architecture, network.module.double())
    network.dtype = dtype
    return network
