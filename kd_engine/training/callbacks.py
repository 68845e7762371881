"""The trainer's callbacks: progress, checkpoints in time, and an end when asked to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from kd_engine.distributed.world import ALONE, World
from kd_engine.schema.errors import Interrupted
from kd_engine.schema.events import EpochEnd, Event, Progress
from kd_engine.schema.phases import NodeName
from kd_engine.training.eta import EtaEstimator
from kd_engine.training.trainer import Trainer

_PROGRESS_SECONDS = 1.0
_LOOK_SECONDS = 0.1
_MOST_STEPS = 100


class Callbacks:
    """The trainer's callbacks for one node of the plan.

    Args:
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
        save: Callable[[Trainer], None],
        should_stop: Callable[[], bool],
        checkpoint_seconds: float,
        checkpoint_epochs: int | None = None,
        world: World = ALONE,
    ) -> None:
        self._name = name
        self._eta, self._emit, self._save, self._should_stop = eta, emit, save, should_stop
        self._checkpoint_seconds, self._world = checkpoint_seconds, world
        self._checkpoint_epochs = checkpoint_epochs
        self._looked, self._between, self._steps_left = time.monotonic(), 1, 1
        self._epoch_began = self._saved = time.monotonic()
        self._told = -math.inf  # the first step is told at once: it shows that the job moves

    def after_step(self, trainer: Trainer) -> None:
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
        now = time.monotonic()
        self._eta.measured(self._name.phase, now - self._epoch_began)
        self._epoch_began = now
        self._emit(
            EpochEnd(
                phase=self._name.phase,
                repeat=self._name.repeat,
                epoch=trainer.epoch,
                epochs=trainer.recipe.epochs,
                metrics=metrics,
            )
        )
        self._tell(trainer)
        if self._checkpoint_epochs is not None and trainer.epoch % self._checkpoint_epochs == 0:
            self._save(trainer)
            self._saved = time.monotonic()
        self.after_step(trainer)

    def _tell(self, trainer: Trainer) -> None:
        self._told = time.monotonic()
        self._eta.at(self._name, trainer.epoch + trainer.step / trainer.steps)
        self._emit(
            Progress(
                phase=self._name.phase,
                repeat=self._name.repeat,
                epoch=min(trainer.epoch + 1, trainer.recipe.epochs),
                step=trainer.step,
                steps=trainer.steps,
                fraction=self._eta.fraction,
                seconds_remaining=self._eta.seconds_remaining,
            )
        )
