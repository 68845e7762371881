"""What a network in training minimises: ce_weight * the task's own loss + sum of weight * loss(student, teacher).

Shapes: B images in the batch, K classes, R rows that a loss of logits compares.
"""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from kd_engine.data.dataset import Split
from kd_engine.data.loader import Batch
from kd_engine.distributed.world import ALONE, World
from kd_engine.losses import Loss, Outputs, Sizes
from kd_engine.networks.network import Network
from kd_engine.schema.errors import InvalidSpecError
from kd_engine.tasks import load_task
from kd_engine.teachers.base import Teacher


class _Compared(NamedTuple):
    """What a loss is shown of a batch."""

    student: Outputs
    teacher: Outputs
    labels_B: Tensor
    index_B: Tensor


class Objective:
    """The weighted sum of the labels' loss and the distillation terms; a context manager that removes its feature tap.

    Without losses it is the labels' alone and needs neither teacher nor train split. What a loss learns or remembers is
    drawn from torch's global generator, on the network's device.

    Where `world` is several processes, each has its share of every term: the terms, and their gradients, are those of
    the whole batch once they are summed over the processes.
    """

    def __init__(
        self,
        network: Network,
        *,
        ce_weight: float = 1.0,
        label_smoothing: float = 0.0,
        losses: tuple[Loss, ...] = (),
        teacher: Teacher | None = None,
        train: Split | None = None,
        world: World = ALONE,
    ) -> None:
        self._network, self._world = network, world
        self._task = load_task(network.architecture.task)
        self._ce_weight = ce_weight
        self._label_smoothing = label_smoothing
        self._losses = losses
        if teacher is not None:
            _check(losses, network, teacher)
        self._teacher = teacher
        features = any(loss.uses_features for loss in losses)
        self._joint = any(not loss.separable for loss in losses)
        self._joint_features = any(loss.uses_features and not loss.separable for loss in losses)
        self._tap = network.tap() if features else None
        self._modules = self._build(train) if features and train is not None else nn.ModuleDict()

    def parameters(self) -> Iterator[nn.Parameter]:
        """What the losses learn, to be trained with the student."""
        return self._modules.parameters()

    def state(self) -> dict[str, Any]:
        """What the losses have learnt and remember, for a checkpoint."""
        return dict(self._modules.state_dict())

    def restore(self, state: dict[str, Any]) -> None:
        """Takes what `state` gave."""
        self._modules.load_state_dict(state)

    def terms(self, batch: Batch, epoch: float) -> dict[str, Tensor]:
        """Each term with its weight after `epoch` epochs, by name, as float32 scalars; the objective is their sum."""
        with self._world.batch_statistics():
            student = self._network.outputs(batch.images_BCHW, self._tap)
        terms = {}
        if self._ce_weight > 0:
            hard = self._task.supervised_loss(student.logits_BK, batch, self._label_smoothing)
            terms["ce"] = self._ce_weight * _share_of_mean(hard, batch)
        if self._losses:
            assert self._teacher is not None, "distillation losses need a teacher"
            own = _Compared(student, self._teacher.answers(batch), batch.labels_B, batch.index_B)
            joint = self._of_all(own, batch) if self._joint else own
            for position, loss in enumerate(self._losses):
                terms[f"{loss.kind}[{position}]"] = loss.factor(epoch) * self._share(position, own, joint, batch)
        return terms

    def _share(self, position: int, own: _Compared, joint: _Compared, batch: Batch) -> Tensor:
        """This process's share of a loss's value; all of it where it is alone."""
        if batch.whole is None:
            return self._value(position, own)
        if self._losses[position].separable:
            with self._world.batch_statistics():
                return _share_of_mean(self._value(position, own), batch)
        return self._value(position, joint) / self._world.size

    def _value(self, position: int, compared: _Compared) -> Tensor:
        key = str(position)
        if key in self._modules:
            value: Tensor = self._modules[key](*compared)
            return value
        loss = self._losses[position]
        if loss.uses_features:
            return loss(compared.student, compared.teacher, compared.labels_B)
        student, right_R = self._task.rows(compared.student, compared.labels_B)
        teacher, _ = self._task.rows(compared.teacher, compared.labels_B)
        return loss(student, teacher, right_R)

    def _of_all(self, own: _Compared, batch: Batch) -> _Compared:
        """What the losses that relate images to each other are shown: the parts of all processes."""
        if batch.whole is None:
            return own

        def whole(outputs: Outputs) -> Outputs:
            features = outputs.features if self._joint_features else ()
            logits_BK, *maps = (self._world.whole(rows, batch.images) for rows in (outputs.logits_BK, *features))
            return Outputs(logits_BK, tuple(maps))

        return _Compared(whole(own.student), whole(own.teacher), batch.whole.labels_B, batch.whole.index_B)

    def _build(self, train: Split) -> nn.ModuleDict:
        sizes = self._sizes(train)
        built = {str(position): loss.build(sizes) for position, loss in enumerate(self._losses)}
        modules = nn.ModuleDict({key: module for key, module in built.items() if module is not None})
        return modules.to(train.images_NCHW.device)

    @torch.no_grad()
    def _sizes(self, train: Split) -> Sizes:
        """The shapes of both networks' feature maps, from two images; eval mode, so that nothing is changed by it."""
        assert self._teacher is not None, "losses on feature maps need a teacher"
        batch = Batch(train.images_NCHW[:2], train.labels_N[:2], torch.arange(2, device=train.labels_N.device))
        was_training = self._network.module.training
        self._network.module.eval()
        student = self._network.outputs(batch.images_BCHW, self._tap)
        self._network.module.train(was_training)
        teacher = self._teacher.answers(batch)
        return Sizes(
            student=_shapes(student), teacher=_shapes(teacher), labels_N=train.labels_N,
            num_classes=student.logits_BK.shape[1],
        )  # fmt: skip

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._tap is not None:
            self._tap.__exit__(kind, error, at)


def _share_of_mean(mean: Tensor, batch: Batch) -> Tensor:
    """What this process's mean over its images adds to the mean over the whole batch."""
    if batch.whole is None:
        return mean
    images = len(batch.labels_B)
    # no images have no mean, but the layers' exchanges with the other processes still hang on this
    return mean * (images / batch.images) if images else mean.nan_to_num(0.0) * 0.0


def _check(losses: tuple[Loss, ...], student: Network, teacher: Teacher) -> None:
    """Again here: the spec could not know the stages of a teacher that comes from another job."""
    for loss in losses:
        problem = loss.misfit(student.stages, teacher.stages)
        if problem is not None:
            raise InvalidSpecError(problem)


def _shapes(outputs: Outputs) -> tuple[tuple[int, int, int], ...]:
    shapes = []
    for feature in outputs.features:
        channels, height, width = feature.shape[1:]
        shapes.append((channels, height, width))
    return tuple(shapes)
