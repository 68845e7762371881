"""The plan of a job: its trainings as nodes, in the order in which they run.

A distillation is, for each seed, a student alone and a student that learns from a teacher. `sweep_plan` makes the plan
of a sweep, with more of both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from kd_engine.images.augmentations import Augmentation
from kd_engine.jobspec import JobSpec, ObjectiveSpec, StudentSpec, TeacherSpec, TrainingSpec
from kd_engine.schema.phases import BASELINE, STUDENT, TEACHER, NodeName, TrainedPhase

LABELS_ALONE = ObjectiveSpec(losses=(), ce_weight=1.0)
# of the random streams: the student alone and the distilled one start from the same weights and see the same batches
_STREAMS: dict[str, TrainedPhase] = {TEACHER: TEACHER, BASELINE: STUDENT, STUDENT: STUDENT}


class Batches(NamedTuple):
    """What decides which batches a training sees, of the same data."""

    stream: str
    seed: int
    size: int
    augmentation: tuple[Augmentation, ...]
    fixed_views: int | None
    epochs: int


@dataclass(frozen=True)
class Train:
    """A node: one network, trained once.

    Attributes:
        name: its phase, repeat and trial; no other node of the plan has the same.
        network: what is built; of a teacher that is given, which networks of other jobs it is made of.
        recipe: how it is trained; None where it is given.
        seed: of its weights, batches and dropout.
        objective: what it minimises: distillation terms and the factor of cross-entropy.
        learns_from: the node whose network teaches it, which comes before it; None where it learns from the labels
            alone. Then it is kept for later jobs, and taken from there where an earlier job has trained the same.
        compared_with: the node whose answers on the test split its own are compared with.
    """

    name: NodeName
    network: TeacherSpec | StudentSpec
    recipe: TrainingSpec | None
    seed: int
    objective: ObjectiveSpec = LABELS_ALONE
    learns_from: NodeName | None = None
    compared_with: NodeName | None = None

    @property
    def epochs(self) -> int:
        """At most; 0 where the network is given."""
        return 0 if self.recipe is None else self.recipe.epochs

    @property
    def stream(self) -> str:
        """Names its random streams."""
        return _STREAMS[self.name.phase]

    @property
    def batches(self) -> Batches | None:
        """Nodes of equal batches may share them; None where nothing is trained."""
        recipe = self.recipe
        if recipe is None:
            return None
        return Batches(
            self.stream, self.seed, recipe.batch_size, recipe.augmentation, recipe.fixed_views, recipe.epochs
        )


def plan_of(spec: JobSpec) -> tuple[Train, ...]:
    """Teacher, then for each repeat the student alone and the distilled one; as many repeats as there may be.

    Args:
        spec: resolved.
    """
    nodes = []
    for repeat in range(spec.most_repeats):
        seed, alone, student = spec.seed + repeat, NodeName(BASELINE, repeat), NodeName(STUDENT, repeat)
        if repeat == 0 or spec.teacher.per_repeat:
            teacher = NodeName(TEACHER, repeat)
            nodes.append(_teacher(spec, teacher))
        if spec.baseline:
            nodes.append(Train(alone, spec.student, spec.training, seed, compared_with=teacher))
        nodes.append(
            Train(
                student, spec.student, spec.training, seed, spec.objective(), learns_from=teacher, compared_with=teacher
            )
        )
    return tuple(nodes)


def _teacher(spec: JobSpec, name: NodeName) -> Train:
    """The teacher of a repeat, trained with a seed of its own; one that is given has none."""
    asked = spec.teacher
    if asked.seed is None:
        return Train(name, asked, None, spec.seed + name.repeat)
    seed = asked.seed + name.repeat
    return Train(name, asked.model_copy(update={"seed": seed}), asked.training, seed)
