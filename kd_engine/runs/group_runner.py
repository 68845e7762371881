"""Runs a group of a sweep's nodes: students that see the same batches, trained side by side, then measured."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import JobSpec
from kd_engine.networks.network import Network
from kd_engine.results.result import PhaseResult
from kd_engine.runs.context import RunContext
from kd_engine.runs.node_runner import Course, NodeRunner
from kd_engine.runs.plan import Train
from kd_engine.schema.errors import DivergedError
from kd_engine.schema.events import PhaseStarted
from kd_engine.schema.phases import NodeName
from kd_engine.teachers.base import Teacher
from kd_engine.teachers.factory import Lesson, teacher_for
from kd_engine.teachers.network import TeacherNetwork
from kd_engine.teachers.shared import SharedTeacher
from kd_engine.training.callbacks import Callbacks, GroupCallbacks
from kd_engine.training.eta import EtaEstimator
from kd_engine.training.group import Group, Noted
from kd_engine.training.trainer import Trainer

Ended = PhaseResult | DivergedError


class GroupRunner:
    """Runs groups of students.

    Args:
        runner_of: what runs the nodes of a trial, by its number; it makes their networks and objectives.
        specs: of the trials, by number.
        teachers: the networks that teach, by node.
        save: writes a checkpoint of the run, the state of the group in it.
    """

    def __init__(
        self,
        runner_of: Callable[[Train], NodeRunner],
        specs: Mapping[int, JobSpec],
        teachers: Callable[[NodeName], TeacherNetwork],
        data: Dataset,
        context: RunContext,
        eta: EtaEstimator,
        save: Callable[[Sequence[Train], Group], None],
    ) -> None:
        self._runner_of, self._specs, self._teachers = runner_of, specs, teachers
        self._data, self._context, self._eta, self._save = data, context, eta, save

    def run(self, nodes: Sequence[Train], unfinished: dict[str, Any] | None) -> dict[NodeName, Ended]:
        """What became of each node: a result, or why there is none.

        Args:
            unfinished: the group's state in a checkpoint, to go on from.

        Raises:
            Interrupted: asked to stop; a checkpoint was written.
        """
        networks = [self._runner_of(node).networks.new(node) for node in nodes]
        with ExitStack() as open_until_trained:
            teachers = self._shared_teachers(nodes, open_until_trained)
            trainers = [
                self._trainer(node, network, teachers[self._asks(node)], open_until_trained)
                for node, network in zip(nodes, networks, strict=True)
            ]
            group = Group(trainers)
            if unfinished is not None:
                group.restore(unfinished)
            self._fit(nodes, group, list(teachers.values()))
        return {
            node.name: group.diverged[place] if place in group.diverged else self._measured(node, trainers[place])
            for place, node in enumerate(nodes)
        }

    def _fit(self, nodes: Sequence[Train], group: Group, teachers: Sequence[Teacher]) -> None:
        context, options = self._context, self._context.options
        names = [node.name for node in nodes]

        def flush_and_save(group: Group) -> None:
            for teacher in teachers:
                teacher.flush()
            self._save(nodes, group)

        callbacks = Callbacks(
            names[0],
            eta=self._eta,
            emit=context.emit,
            save=flush_and_save,
            should_stop=context.should_stop,
            checkpoint_seconds=options.checkpoint_seconds,
            checkpoint_epochs=options.checkpoint_epochs,
        )
        if left := group.in_training:
            callbacks.names = tuple(names[place] for place in left)
        for node in nodes:
            context.emit(PhaseStarted(**node.name._asdict(), epochs=node.epochs, first_epoch=group.epoch))
        group.fit(GroupCallbacks(names, callbacks))
        for teacher in teachers:
            teacher.flush()
        for node in nodes:
            self._eta.at(node.name, node.epochs)

    def _lesson(self, node: Train) -> Lesson:
        assert node.recipe is not None, "a student is trained here"
        spec = self._spec(node)
        return Lesson(spec.dataset, node.recipe, node.objective.losses, spec.teacher_cache, node.seed)

    def _asks(self, node: Train) -> tuple[Any, ...]:
        """Nodes of equal ones ask the same teacher: it answers each of them as it would answer it alone, to the bit."""
        lesson = self._lesson(node)
        compiled = lesson.recipe.compile
        if lesson.kept_views(self._data) is not None:
            return node.learns_from, compiled, lesson.cache
        return node.learns_from, compiled, "live", compiled and lesson.features  # compiled together with its taps

    def _shared_teachers(self, nodes: Sequence[Train], until: ExitStack) -> dict[tuple[Any, ...], Teacher]:
        asking: dict[tuple[Any, ...], list[Train]] = {}
        for node in nodes:
            asking.setdefault(self._asks(node), []).append(node)
        found: dict[tuple[Any, ...], Teacher] = {}
        for key, students in asking.items():
            first = students[0]
            assert first.learns_from is not None, "a distilled student learns from a teacher"
            losses = [loss for node in students for loss in node.objective.losses]
            folder, compiler = self._context.options.cache_dir, self._runner_of(first).compiler
            lesson = replace(self._lesson(first), losses=losses)
            teacher = teacher_for(lesson, self._data, self._teachers(first.learns_from), folder, compiler)
            found[key] = until.enter_context(SharedTeacher(teacher))
        return found

    def _trainer(self, node: Train, network: Network, teacher: Teacher, until: ExitStack) -> Trainer:
        assert node.recipe is not None, "a student is trained here"
        objective = until.enter_context(self._runner_of(node).objective(node, network, teacher))
        return Trainer(network, self._data, node.recipe, objective, node.seed, node.stream, Noted())

    def _measured(self, node: Train, trainer: Trainer) -> Ended:
        runner, best = self._runner_of(node), trainer.best
        assert best is not None, "it was trained"
        snapshots = {
            epoch: runner.networks.with_state(trainer.network, state) for epoch, state in trainer.snapshots.items()
        }
        try:
            return runner.measured(node, trainer.network, Course("trained", trainer.series, best.epoch, snapshots))
        except DivergedError as error:
            return error

    def _spec(self, node: Train) -> JobSpec:
        assert node.name.trial is not None, "it is a sweep's"
        return self._specs[node.name.trial]
