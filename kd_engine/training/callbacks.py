"""The trainer's callbacks: progress, checkpoints in time, and an end when asked to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from kd_engine.distributed.world import ALONE, World
from kd_engine.jobspec import TrainingSpec
from kd_engine.schema.errors import Interrupted
from kd_engine.schema.events import EpochEnd, Event, Progress
from kd_engine.schema.phases import NodeName
from kd_engine.training.eta import EtaEstimator
from kd_engine.training.group import Group
from kd_engine.training.trainer import Trainer

_PROGRESS_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_MOST_STEPS = 100


class Training(Protocol):
    """What is watched: a trainer, or a group of them that all stand at the same step."""

    recipe: TrainingSpec
    epoch: int
    step: int
    steps: int


class Callbacks:
    """The trainer's callbacks for one node of the plan.

    Args:
        name: of the node.
        save: writes a checkpoint of the run, this trainer's state included.
        should_stop: whether somebody asked the run to end.
        checkpoint_seconds: at most so much work is lost to a crash, give or take a step.
        checkpoint_epochs: also a checkpoint after so many epochs.
        world: whose first process decides for all when to save and to stop. That takes an exchange, so they look up
            some ten times a second and not after each step.
    """

    def __init__(
        self,
        name: NodeName,
        *,
        eta: EtaEstimator,
        emit: Callable[[Event], None],
        save: Callable[[Any], None],
        should_stop: Callable[[], bool],
        checkpoint_seconds: float,
        checkpoint_epochs: int | None = None,
        world: World = ALONE,
    ) -> None:
        self.names: tuple[NodeName, ...] = (name,)
        self._eta, self._emit, self._save, self._should_stop = eta, emit, save, should_stop
        self._checkpoint_seconds, self._world = checkpoint_seconds, world
        self._checkpoint_epochs = checkpoint_epochs
        self._looked, self._between, self._steps_left = time.monotonic(), 1, 1
        self._epoch_began = self._saved = time.monotonic()
        self._told = -math.inf  # the first step is told at once: it shows that the job moves

    def after_step(self, trainer: Training) -> None:
        self._steps_left -= 1
        if self._steps_left > 0:
            return
        now = time.monotonic()
        due = now - self._saved >= self._checkpoint_seconds
        stop, save, self._between = self._world.broadcast([self._should_stop(), due, self._pause(now)])
        self._looked, self._steps_left = now, self._between
        if stop or save:
            self._save(trainer)
            self._saved = time.monotonic()
        if stop:
            raise Interrupted(f"stopped as asked, after step {trainer.step} of epoch {trainer.epoch + 1}.")
        if now - self._told >= _PROGRESS_SECONDS:
            self._tell(trainer)

    def _pause(self, now: float) -> int:
        """Steps until the next look."""
        if self._world.size == 1:
            return 1
        return round(min(_MOST_STEPS, max(1.0, _LOOK_SECONDS * self._between / max(now - self._looked, 1e-9))))

    def after_epoch(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        self.epoch_ended(trainer, {self.names[0]: metrics})

    def epoch_ended(self, trainer: Training, metrics: Mapping[NodeName, dict[str, float]]) -> None:
        """An epoch of these nodes has ended."""
        now = time.monotonic()
        for name, measured in metrics.items():
            self._eta.measured(name.phase, (now - self._epoch_began) / len(metrics))
            self._emit(EpochEnd(**name._asdict(), epoch=trainer.epoch, epochs=trainer.recipe.epochs, metrics=measured))
        self._epoch_began = now
        self._tell(trainer)
        if self._checkpoint_epochs is not None and trainer.epoch % self._checkpoint_epochs == 0:
            self._save(trainer)
            self._saved = time.monotonic()
        self.after_step(trainer)

    def done(self, name: NodeName, epochs: int) -> None:
        """One of the nodes needs no more of its epochs."""
        self._eta.at(name, epochs)

    def _tell(self, trainer: Training) -> None:
        self._told = time.monotonic()
        for name in self.names:
            self._eta.at(name, trainer.epoch + trainer.step / trainer.steps)
        self._emit(
            Progress(
                **self.names[0]._asdict(),
                epoch=min(trainer.epoch + 1, trainer.recipe.epochs),
                step=trainer.step,
                steps=trainer.steps,
                fraction=self._eta.fraction,
                seconds_remaining=self._eta.seconds_remaining,
            )
        )


class GroupCallbacks:
    """The callbacks of a group of nodes.

    Args:
        names: of its trainers, in their order.
        callbacks: tell of them, as of one.
    """

    def __init__(self, names: Sequence[NodeName], callbacks: Callbacks) -> None:
        self._names, self._callbacks = names, callbacks

    def after_step(self, group: Group) -> None:
        self._callbacks.after_step(group)

    def after_epoch(self, group: Group, metrics: dict[int, dict[str, float]]) -> None:
        left = group.in_training
        for place in metrics.keys() - set(left):  # it ran out of patience, perhaps
            self._callbacks.done(self._names[place], group.recipe.epochs)
        if left:
            self._callbacks.names = tuple(self._names[place] for place in left)
        self._callbacks.epoch_ended(group, {self._names[place]: measured for place, measured in metrics.items()})
