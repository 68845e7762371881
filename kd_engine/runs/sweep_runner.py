"""Walks the plan of a sweep, and keeps a checkpoint of the whole run."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import JobSpec, canonical_hash
from kd_engine.jobspec.sweep import SweepSpec, Trial
from kd_engine.results.result import PhaseResult
from kd_engine.results.sweep_report import TrialOutcome
from kd_engine.runs.context import RunContext
from kd_engine.runs.forecast import Forecast
from kd_engine.runs.group_runner import GroupRunner
from kd_engine.runs.node_runner import NodeRunner
from kd_engine.runs.plan import Train
from kd_engine.runs.plan_runner import CHECKPOINT_FILE
from kd_engine.runs.sweep_plan import PlannedTrial, groups, plan_sweep
from kd_engine.schema.errors import DivergedError
from kd_engine.schema.events import CheckpointSaved, Event, PhaseEnded, Progress
from kd_engine.schema.phases import STUDENT, NodeName
from kd_engine.teachers.network import TeacherNetwork
from kd_engine.training.checkpoint import save_tree
from kd_engine.training.eta import EtaEstimator
from kd_engine.training.group import Group
from kd_engine.training.trainer import Trainer

log = logging.getLogger(__name__)


class SweepRunner:
    """Runs what is left of a sweep.

    Args:
        spec: of which a checkpoint is.
        trials: settled.
        data: on the context's device.
        most_together: students that may be in memory at once.
    """

    def __init__(
        self, spec: SweepSpec, trials: Sequence[Trial], data: Dataset, context: RunContext, most_together: int
    ) -> None:
        self._spec, self._data = spec, data
        # what a checkpoint says of what it is of
        self._of_this_sweep = {
            "spec": spec.to_json(),
            "formulas": spec.formulas,
            "trials_sha256": trials_sha256(trials),
            "data_sha256": data.sha256,
        }
        self._specs = {trial.number: trial.spec for trial in trials}
        nodes, self._trials = plan_sweep(trials)
        self._nodes = {node.name: node for node in nodes}
        self._context = replace(context, emit=self._counted(context))
        self._eta = EtaEstimator({node.name: node.epochs for node in nodes})
        self._most_together = most_together
        self._results: dict[NodeName, PhaseResult] = {}
        self._failed: dict[NodeName, str] = {}
        self._unfinished: dict[str, Any] | None = None
        self._now: NodeName | None = None  # what is trained by itself
        self._runners: dict[int, NodeRunner] = {}
        self._teachers: dict[NodeName, TeacherNetwork] = {}
        self._forecast: Forecast | None = None
        self._groups = GroupRunner(
            self._runner, self._specs, self._teacher, data, self._context, self._eta, self._save_group
        )

    def run(self) -> list[TrialOutcome]:
        """What became of each trial, by number.

        Raises:
            DivergedError: none of them has a student.
            Interrupted: asked to stop; a checkpoint was written.
        """
        if self._unfinished is not None and "group" in self._unfinished:
            self._run_group([self._nodes[NodeName(*name)] for name in self._unfinished["group"]])
        for repeat in range(self._spec.repeats):
            left = [node for node in self._nodes.values() if node.name.repeat == repeat and self._to_run(node)]
            for node in left:
                if node.learns_from is None:
                    self._run_node(node)
            students = [node for node in left if node.learns_from is not None and self._to_run(node)]
            together = groups(students, self._most_together)
            if len(together) > len({node.batches for node in students}):
                log.info("the students of a repeat train in %d groups: more do not fit in memory", len(together))
            for group in together:
                self._run_group(group)
        outcomes = [self._outcome(planned) for planned in self._trials]
        if not any(outcome.students for outcome in outcomes):
            raise DivergedError(f"no trial has ended with a student; the first: {outcomes[0].failure}")
        return outcomes

    def restore(self, tree: dict[str, Any]) -> None:
        """Takes up the results of a checkpoint, and the state of what it interrupted."""
        for kept in tree["results"]:
            node = self._nodes[NodeName(kept["phase"], kept["repeat"], kept["trial"])]
            self._results[node.name] = self._runner(node).networks.rebuilt(node, kept)
            self._eta.at(node.name, node.epochs)
        for *name, why in tree["failed"]:
            self._failed[NodeName(*name)] = why
            self._eta.skip(NodeName(*name))
        self._unfinished = tree["unfinished"]

    def _to_run(self, node: Train) -> bool:
        """Whether it is neither done nor without sense: its teacher, or its trial in an earlier repeat, diverged."""
        name = node.name
        if name in self._results or name in self._failed:
            return False
        ended = node.learns_from in self._failed or any(
            failed.trial == name.trial and failed.phase == STUDENT == name.phase for failed in self._failed
        )
        if ended:
            self._eta.skip(name)
        return not ended

    def _run_node(self, node: Train) -> None:
        unfinished, self._unfinished = self._unfinished, None
        self._now = node.name
        try:
            self._ended(node.name, self._runner(node).run(node, unfinished and unfinished["state"]))
        except DivergedError as error:
            self._ended(node.name, error)
        self._save(None)

    def _run_group(self, nodes: Sequence[Train]) -> None:
        unfinished, self._unfinished = self._unfinished, None
        for name, ended in self._groups.run(nodes, unfinished and unfinished["state"]).items():
            self._ended(name, ended)
        fraction, left = self._eta.fraction, self._eta.seconds_remaining
        done = {"epoch": nodes[0].epochs, "step": 0, "steps": 0, "fraction": fraction, "seconds_remaining": left}
        self._context.emit(Progress(**nodes[0].name._asdict(), **done))
        self._save(None)

    def _ended(self, name: NodeName, ended: PhaseResult | DivergedError) -> None:
        if isinstance(ended, DivergedError):
            log.warning("%s: %s", name, ended)
            self._failed[name] = str(ended)
            self._eta.skip(name)
            return
        self._results[name] = ended
        self._context.emit(PhaseEnded(**name._asdict(), source=ended.source, metrics=ended.metrics))

    def _outcome(self, planned: PlannedTrial) -> TrialOutcome:
        failed = [self._failed[name] for name in (*planned.teachers, *planned.students) if name in self._failed]
        return TrialOutcome(
            planned.trial,
            control=planned.alone,
            teacher=planned.teachers,
            students=self._all_of(planned.students),
            failure=failed[0] if failed else "",
            alone=self._all_of(planned.alone),
            teachers=self._all_of(planned.teachers),
        )

    def _all_of(self, names: Sequence[NodeName]) -> list[PhaseResult]:
        """The results of all of them; none where one is missing."""
        found = [self._results[name] for name in names if name in self._results]
        return found if len(found) == len(names) else []

    def _runner(self, node: Train) -> NodeRunner:
        """That of the node's trial; all of them write into the same results."""
        number = node.name.trial
        assert number is not None, "it is a sweep's"
        if number not in self._runners:
            context, spec = self._context, self._specs[number]
            own = replace(context, options=replace(context.options, inputs=self._inputs_of(spec)))
            runner = NodeRunner(spec, self._data, own, self._eta, self._results, self._save_node, self._forecast)
            self._forecast = runner.forecast
            self._runners[number] = runner
        return self._runners[number]

    def _inputs_of(self, spec: JobSpec) -> dict[str, Path]:
        """The sweep's files, by their places in a trial's spec."""
        inputs = self._context.options.inputs
        given = {asked.network: inputs[asked.place] for asked in self._spec.networks() if asked.place in inputs}
        return {asked.place: given[asked.network] for asked in spec.networks() if asked.network in given}

    def _teacher(self, name: NodeName) -> TeacherNetwork:
        if name not in self._teachers:
            self._teachers[name] = TeacherNetwork(self._results[name].network)
        return self._teachers[name]

    def _counted(self, context: RunContext) -> Any:
        """Progress also counts the trials."""

        def emit(event: Event) -> None:
            if isinstance(event, Progress):
                done = sum(map(self._has_ended, self._trials))
                event = event.model_copy(update={"trials": len(self._trials), "trials_done": done})
            context.emit(event)

        return emit

    def _has_ended(self, planned: PlannedTrial) -> bool:
        failed = any(name in self._failed for name in (*planned.teachers, *planned.students))
        return failed or all(name in self._results for name in planned.students)

    def _save_node(self, trainer: Trainer) -> None:
        assert self._now is not None, "a node is being trained"
        self._save({"state": trainer.state_tree()}, self._now, trainer.epoch)

    def _save_group(self, nodes: Sequence[Train], group: Group) -> None:
        names = [list(node.name) for node in nodes]
        self._save({"state": group.state_tree(), "group": names}, nodes[0].name, group.epoch)

    def _save(self, unfinished: dict[str, Any] | None, name: NodeName | None = None, epoch: int = 0) -> None:
        """Writes a checkpoint of the run: the finished nodes, and what is in training, if anything is."""
        tree = self._of_this_sweep | {
            "results": [result.to_tree() for result in self._results.values()],
            "failed": [[*name, why] for name, why in self._failed.items()],
            "unfinished": unfinished,
        }
        save_tree(tree, self._context.options.out_dir / CHECKPOINT_FILE)
        if name is None:
            name = next(reversed([*self._results, *self._failed]))
            epoch = self._nodes[name].epochs
        self._context.emit(CheckpointSaved(path=CHECKPOINT_FILE, **name._asdict(), epoch=epoch))


def trials_sha256(trials: Sequence[Trial]) -> str:
    """Of all that is trained: a checkpoint of other trials is not gone on from."""
    return canonical_hash([trial.spec.to_json() for trial in trials])
