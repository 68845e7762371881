"""Walks the plan of a job, and keeps a checkpoint of the whole run, so that each node is taken up where it stood."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import JobSpec, RepeatsUntil
from kd_engine.results.report import looks_at
from kd_engine.results.result import PhaseResult
from kd_engine.runs.context import RunContext
from kd_engine.runs.node_runner import NodeRunner
from kd_engine.runs.plan import Train
from kd_engine.schema.events import CheckpointSaved, PhaseEnded
from kd_engine.schema.phases import NodeName
from kd_engine.training.checkpoint import save_tree
from kd_engine.training.eta import EtaEstimator
from kd_engine.training.trainer import Trainer

CHECKPOINT_FILE = "checkpoint.safetensors"


class PlanRunner:
    """Runs what is left of a job's plan, node by node.

    Args:
        spec: resolved: what the nodes have in common, and what a checkpoint is of.
        plan: a node after those that it learns from and is compared with.
        data: on the context's device.

    Attributes:
        nodes: runs each of them.
    """

    def __init__(self, spec: JobSpec, plan: Sequence[Train], data: Dataset, context: RunContext) -> None:
        self._spec, self._data, self._context = spec, data, context
        self._plan = {node.name: node for node in plan}
        self._eta = EtaEstimator({node.name: node.epochs for node in plan})
        self._results: dict[NodeName, PhaseResult] = {}
        self._unfinished: dict[str, Any] | None = None
        self.nodes = NodeRunner(spec, data, context, self._eta, self._results, self._save)

    def run(self) -> list[PhaseResult]:
        """The results of all nodes, in the order of the plan; of as many repeats as the answer needs."""
        for node in self._left():
            if self._repeated_enough(node.name.repeat):
                self._eta.end()
                break
            unfinished, self._unfinished = self._unfinished, None
            result = self.nodes.run(node, unfinished)
            self._results[node.name] = result
            self._context.emit(PhaseEnded(**result.name._asdict(), source=result.source, metrics=result.metrics))
            self._save(None)
        return list(self._results.values())

    def restore(self, tree: dict[str, Any]) -> None:
        """Takes up the results of a checkpoint, and the state of the training that it interrupted."""
        for kept in tree["results"]:
            node = self._plan[NodeName(kept["phase"], kept["repeat"], kept.get("trial"))]
            self._results[node.name] = self.nodes.networks.rebuilt(node, kept)
            self._eta.at(node.name, node.epochs)
        self._unfinished = tree["trainer"]

    def _left(self) -> list[Train]:
        return [node for node in self._plan.values() if node.name not in self._results]

    def _repeated_enough(self, repeats: int) -> bool:
        """Whether the job ends after so many repeats. Looks at results alone, so a resumed run ends after as many."""
        until = self._spec.repeats
        if not isinstance(until, RepeatsUntil) or repeats not in until.looks:
            return False
        done = [result for result in self._results.values() if result.repeat < repeats]
        [enough] = self._context.world.broadcast([looks_at(done, until)[-1].enough])
        return bool(enough)

    def _save(self, trainer: Trainer | None) -> None:
        """Writes a checkpoint of the run: the finished nodes, and the training in progress if there is one."""
        state = None if trainer is None else trainer.state_tree()
        if not self._context.world.is_main:
            return
        tree = {
            "spec": self._spec.to_json(),
            "formulas": self._spec.formulas,
            "data_sha256": self._data.sha256,
            "results": [result.to_tree() for result in self._results.values()],
            "trainer": state,
        }
        save_tree(tree, self._context.options.out_dir / CHECKPOINT_FILE)
        node = self._plan[next(reversed(self._results))] if trainer is None else self._left()[0]
        epoch = node.epochs if trainer is None else trainer.epoch
        self._context.emit(CheckpointSaved(path=CHECKPOINT_FILE, **node.name._asdict(), epoch=epoch))
