"""The plan of a sweep: the trainings of all its trials, those that trials have in common once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from kd_engine.jobspec import canonical_hash
from kd_engine.jobspec.sweep import Trial
from kd_engine.runs.plan import Train, plan_of
from kd_engine.schema.phases import BASELINE, PHASES, STUDENT, TEACHER, NodeName


@dataclass(frozen=True)
class PlannedTrial:
    """A trial and the nodes of its job.

    Attributes:
        trial: its spec settled.
        teachers, alone, students: by repeat; one teacher where all repeats share it. `trial` in the names of the first
            two is the first trial that they are of.
    """

    trial: Trial
    teachers: tuple[NodeName, ...]
    alone: tuple[NodeName, ...]
    students: tuple[NodeName, ...]


def plan_sweep(trials: Sequence[Trial]) -> tuple[list[Train], list[PlannedTrial]]:
    """All nodes, a node after those that it learns from and is compared with, and which are of which trial.

    Of each repeat first the teachers, then the students alone, then the distilled ones. A student alone that trials of
    several teachers share is compared with none of these.
    """
    nodes: dict[str, Train] = {}
    planned = []
    for trial in trials:
        names: dict[NodeName, NodeName] = {}
        for node in plan_of(trial.spec):
            own = replace(
                node,
                name=node.name._replace(trial=trial.number),
                learns_from=names.get(node.learns_from) if node.learns_from else None,
                compared_with=names.get(node.compared_with) if node.compared_with else None,
            )
            key = canonical_hash(_identity(own))
            shared = nodes.setdefault(key, own)
            if shared.compared_with != own.compared_with:
                nodes[key] = replace(shared, compared_with=None)
            names[node.name] = shared.name
        of = {phase: tuple(name for name in names.values() if name.phase == phase) for phase in PHASES}
        planned.append(PlannedTrial(trial, of[TEACHER], of[BASELINE], of[STUDENT]))
    order = {phase: place for place, phase in enumerate(PHASES)}
    return sorted(nodes.values(), key=lambda node: (node.name.repeat, order[node.name.phase])), planned


def _identity(node: Train) -> list[Any]:
    """What makes a node what it is: trials share those that are equal, but never a distilled student."""
    name = node.name
    if name.phase == STUDENT:
        return list(name)
    # `compile` is of the teaching
    recipe = None if node.recipe is None else node.recipe.model_dump(mode="json", exclude={"compile"})
    return [name.phase, name.repeat, node.seed, node.network.model_dump(mode="json"), recipe]


def groups(students: Sequence[Train], most: int) -> list[list[Train]]:
    """Those that see the same batches together, at most so many in each, in the order given."""
    together: dict[Any, list[Train]] = {}
    for node in students:
        together.setdefault(node.batches, []).append(node)
    return [nodes[start : start + most] for nodes in together.values() for start in range(0, len(nodes), most)]
