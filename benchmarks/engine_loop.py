"""The engine's own training as a contestant."""

from __future__ import annotations

from pathlib import Path

import torch

from benchmarks.work import Work
from kd_engine.data.dataset import Dataset, Split
from kd_engine.networks.network import Network
from kd_engine.platform.device import training_dtype
from kd_engine.schema.events import Event
from kd_engine.schema.phases import NodeName
from kd_engine.teachers.base import Teacher
from kd_engine.teachers.cached import CachedTeacher
from kd_engine.teachers.factory import Lesson, teacher_for
from kd_engine.teachers.live import LiveTeacher
from kd_engine.teachers.network import TeacherNetwork
from kd_engine.training.callbacks import Callbacks
from kd_engine.training.eta import EtaEstimator
from kd_engine.training.objective import Objective
from kd_engine.training.trainer import Trainer

CPU = torch.device("cpu")
STUDENT = NodeName("student")


def networks(work: Work, precision: str) -> tuple[Network, Network]:
    """Student and frozen teacher, in the type that the engine gives them."""
    student, teacher = work.network(work.student, "student"), work.network(work.teacher, "teacher")
    for network in (student, teacher):
        network.dtype = training_dtype(precision, network.module, CPU)
    teacher.freeze()
    return student, teacher


class EngineLoop:
    """The same epoch, views and all, each time it is called; tells the seconds of its steps.

    All that a job has around its steps is there: the callbacks reports each second and each epoch to `events`, asks
    whether to stop, and knows when the next checkpoint is due (none is, within a benchmark). With `cache_folder` the
    teacher answers from its cache, which the warm-up round filled. Validation is on two images, and not in the seconds.
    """

    def __init__(
        self, work: Work, precision: str, train: Split, events: Path, cache_folder: Path | None = None
    ) -> None:
        spec = work.spec(precision)
        self.student, teacher = networks(work, precision)
        few = Split(train.images_NCHW[:2], train.labels_N[:2])
        data = Dataset(train, few, few, self.student.architecture.classes, work.shape, "")
        losses, ce_weight = spec.objective()
        answering: Teacher = LiveTeacher(TeacherNetwork(teacher))
        if cache_folder is not None:
            lesson = Lesson(spec.dataset, spec.training, losses, spec.teacher_cache, spec.seed)
            answering = teacher_for(lesson, data, TeacherNetwork(teacher), cache_folder)
            assert isinstance(answering, CachedTeacher), "these views are finite"
        objective = Objective(self.student, ce_weight=ce_weight, losses=losses, teacher=answering)
        self._events = events
        callbacks = Callbacks(
            STUDENT,
            eta=EtaEstimator({STUDENT: spec.training.epochs}),
            emit=self._write,
            save=lambda trainer: None,
            should_stop=lambda: False,
            checkpoint_seconds=3600,
        )
        self._trainer = Trainer(self.student, data, spec.training, objective, 0, "student", callbacks)

    def _write(self, event: Event) -> None:
        with self._events.open("a") as lines:
            lines.write(event.model_dump_json() + "\n")

    def __call__(self) -> float:
        self._trainer.epoch = 0
        self._trainer.train_epoch()
        return self._trainer.series[-1]["seconds"]
