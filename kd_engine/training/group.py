"""Students that see the same batches, trained side by side: each as it would be alone, bit for bit.

A batch is drawn once, and what the students are taught by answers it once; then each of them steps, with its own
objective, optimiser and random stream. One that diverges ends alone.

Shapes: B images in the batch.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor

from kd_engine.data.loader import Batch
from kd_engine.images.normalisation import Normalisation, OncePerBatch
from kd_engine.schema.errors import DivergedError
from kd_engine.training.rng import random_state, set_random_state
from kd_engine.training.trainer import Trainer


class Callbacks(Protocol):
    """Hears of the group's course; may raise `Interrupted` to end it."""

    def after_step(self, group: Group) -> None:
        """All students have done the same step."""

    def after_epoch(self, group: Group, metrics: dict[int, dict[str, float]]) -> None:
        """All students have done the same epoch; `metrics` has those of each place that is still in training."""


class Noted:
    """The callbacks of one trainer of a group: notes the metrics of its last epoch, for the group to tell."""

    def __init__(self) -> None:
        self.metrics: dict[str, float] = {}

    def after_step(self, trainer: Trainer) -> None: ...

    def after_epoch(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        self.metrics = metrics


class Group:
    """Trains students of equal data, seed, stream, batches and epochs.

    Args:
        trainers: of one process each, with `Noted` for callbacks; all stand at the same step, save those that are
            done.

    Attributes:
        diverged: why the training of a place ended without a network.
        epoch, step, steps: where all that are still in training stand.
        recipe: of one of them.
    """

    def __init__(self, trainers: Sequence[Trainer]) -> None:
        self.trainers = trainers
        self.diverged: dict[int, DivergedError] = {}
        self._device = trainers[0].data.train.images_NCHW.device
        self._random: dict[int, Tensor] = {}
        self.recipe, self.steps = trainers[0].recipe, trainers[0].steps
        self.epoch, self.step = trainers[0].epoch, trainers[0].step

    @property
    def in_training(self) -> list[int]:
        """The places that have epochs left."""
        return [place for place, trainer in enumerate(self.trainers) if place not in self.diverged and not trainer.done]

    def fit(self, callbacks: Callbacks) -> None:
        """Trains all to their end, from wherever they stand; their networks then hold the weights to keep.

        Raises:
            Interrupted: the callbacks asked to stop.
        """
        shared: dict[Normalisation, OncePerBatch] = {}
        for trainer in self.trainers:
            own = Normalisation(trainer.network.architecture.mean, trainer.network.architecture.std)
            trainer.network.normalise = shared.setdefault(own, OncePerBatch(own))
        while self.in_training:
            self._train_epoch(callbacks)
        for place, trainer in enumerate(self.trainers):
            architecture = trainer.network.architecture
            trainer.network.normalise = Normalisation(architecture.mean, architecture.std)
            if place not in self.diverged:
                trainer.keep_best()

    def _train_epoch(self, callbacks: Callbacks) -> None:
        places = self.in_training
        lead = self.trainers[places[0]]
        self.epoch, self.step = lead.epoch, lead.step
        for place in places:
            self.trainers[place].begin_epoch()
            self._random[place] = random_state(self._device)
        start, first_step = time.perf_counter(), self.step
        for batch in lead.batches_left():
            for place in places:
                self._take(place, batch)
            if self.diverged.keys() >= set(places):
                return
            self.step += 1
            if self.step < self.steps:
                callbacks.after_step(self)
        seconds = (time.perf_counter() - start) / len(places)  # each one's share
        for place in places:
            self._end_epoch(place, seconds, self.step - first_step)
        self.epoch, self.step = self.epoch + 1, 0
        ended = [place for place in places if place not in self.diverged]
        callbacks.after_epoch(self, {place: _noted(self.trainers[place]).metrics for place in ended})

    def _take(self, place: int, batch: Batch) -> None:
        if place in self.diverged:
            return
        set_random_state(self._random[place], self._device)
        try:
            self.trainers[place].take(batch)
        except DivergedError as error:
            self.diverged[place] = error
        self._random[place] = random_state(self._device)

    def _end_epoch(self, place: int, seconds: float, steps: int) -> None:
        if place in self.diverged:
            return
        try:
            self.trainers[place].end_epoch(seconds, steps)
        except DivergedError as error:
            self.diverged[place] = error

    def state_tree(self) -> dict[str, Any]:
        """Everything that is needed to go on exactly here."""
        trainers = []
        for place, trainer in enumerate(self.trainers):
            if place in self._random:
                set_random_state(self._random[place], self._device)
            trainers.append(None if place in self.diverged else trainer.state_tree())
        return {"trainers": trainers, "diverged": {str(place): str(why) for place, why in self.diverged.items()}}

    def restore(self, tree: dict[str, Any]) -> None:
        """Takes the state that `state_tree` gave."""
        self.diverged = {int(place): DivergedError(why) for place, why in tree["diverged"].items()}
        for trainer, state in zip(self.trainers, tree["trainers"], strict=True):
            if state is not None:
                trainer.restore(state)
        left = self.in_training
        if left:
            self.epoch, self.step = self.trainers[left[0]].epoch, self.trainers[left[0]].step


def _noted(trainer: Trainer) -> Noted:
    assert isinstance(trainer.callbacks, Noted), "made by who makes the group"
    return trainer.callbacks
