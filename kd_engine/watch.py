"""Watches a training: reports progress, writes checkpoints in time, and ends it when asked to."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from kd_engine.errors import Interrupted
from kd_engine.events import EpochEnd, Event, Phase, Progress
from kd_engine.pace import Pace
from kd_engine.trainer import Trainer

_PROGRESS_SECONDS = 1.0


class Watch:
    """The trainer's watcher for one phase.

    Args:
        save: writes a checkpoint of the run, this trainer's state included.
        should_stop: whether somebody asked the run to end.
        checkpoint_seconds: at most so much work is lost to a crash, give or take a step.
    """

    def __init__(
        self,
        phase: Phase,
        repeat: int,
        *,
        pace: Pace,
        emit: Callable[[Event], None],
        save: Callable[[Trainer], None],
        should_stop: Callable[[], bool],
        checkpoint_seconds: float,
    ) -> None:
        self._phase, self._repeat = phase, repeat
        self._pace, self._emit, self._save, self._should_stop = pace, emit, save, should_stop
        self._checkpoint_seconds = checkpoint_seconds
        self._epoch_began = self._saved = time.monotonic()
        self._told = -math.inf  # the first step is told at once: it shows that the job moves

    def after_step(self, trainer: Trainer) -> None:
        now = time.monotonic()
        if self._should_stop():
            self._save(trainer)
            raise Interrupted(f"stopped as asked, after step {trainer.step} of epoch {trainer.epoch + 1}.")
        if now - self._saved >= self._checkpoint_seconds:
            self._save(trainer)
            self._saved = time.monotonic()
        if now - self._told >= _PROGRESS_SECONDS:
            self._tell(trainer)

    def after_epoch(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        now = time.monotonic()
        self._pace.measured(self._phase, now - self._epoch_began)
        self._epoch_began = now
        self._emit(
            EpochEnd(
                phase=self._phase,
                repeat=self._repeat,
                epoch=trainer.epoch,
                epochs=trainer.recipe.epochs,
                metrics=metrics,
            )
        )
        self._tell(trainer)
        self.after_step(trainer)

    def _tell(self, trainer: Trainer) -> None:
        self._told = time.monotonic()
        self._pace.at(self._phase, self._repeat, trainer.epoch + trainer.step / trainer.steps)
        self._emit(
            Progress(
                phase=self._phase,
                repeat=self._repeat,
                epoch=min(trainer.epoch + 1, trainer.recipe.epochs),
                step=trainer.step,
                steps=trainer.steps,
                fraction=self._pace.fraction,
                seconds_remaining=self._pace.seconds_remaining,
            )
        )
