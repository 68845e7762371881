"""What the trials of a sweep share, and which of them train together."""

from __future__ import annotations

from typing import Any

from kd_engine.jobspec import SweepSpec
from kd_engine.runs.plan import Train
from kd_engine.runs.sweep_plan import groups, plan_sweep
from kd_engine.schema.phases import BASELINE, STUDENT, TEACHER, NodeName

BASE: dict[str, Any] = {"dataset": "digits", "student": "softmax_regression", "teacher": "mnist_cnn", "repeats": 2}


def sweep(**keys: Any) -> SweepSpec:
    return SweepSpec.model_validate({"kind": "sweep", "base": BASE} | keys)


def nodes_of(spec: SweepSpec) -> dict[NodeName, Train]:
    nodes, _ = plan_sweep(spec.expanded)
    assert [node.name for node in nodes] == sorted(
        (node.name for node in nodes), key=lambda name: (name.repeat, [TEACHER, BASELINE, STUDENT].index(name.phase))
    )
    return {node.name: node for node in nodes}


def test_one_teacher_and_one_student_alone_for_all_temperatures() -> None:
    nodes = nodes_of(sweep(space={"temperature": [1, 2, 4]}))
    alone = [NodeName(BASELINE, repeat, 0) for repeat in (0, 1)]
    students = [NodeName(STUDENT, repeat, trial) for repeat in (0, 1) for trial in range(3)]
    assert set(nodes) == {NodeName(TEACHER, 0, 0), *alone, *students}
    assert {node.learns_from for name, node in nodes.items() if name.phase == STUDENT} == {NodeName(TEACHER, 0, 0)}
    assert {nodes[name].compared_with for name in alone} == {NodeName(TEACHER, 0, 0)}


def test_a_teacher_for_each_value_and_a_student_alone_that_is_compared_with_none_of_them() -> None:
    spec = sweep(space={"teacher": ["mnist_cnn", "mlp"], "alpha": [0.5, 0.9]})
    nodes = nodes_of(spec)
    teachers = [NodeName(TEACHER, 0, 0), NodeName(TEACHER, 0, 2)]
    assert [name for name in nodes if name.phase == TEACHER] == teachers
    assert [nodes[NodeName(STUDENT, 1, trial)].learns_from for trial in range(4)] == [
        teachers[0], teachers[0], teachers[1], teachers[1],
    ]  # fmt: skip
    assert nodes[NodeName(BASELINE, 0, 0)].compared_with is None
    assert spec.planned_epochs == 12 * (2 + 2 + 2 * 4)  # teachers, the student alone twice, four trials twice


def test_a_teacher_of_each_seed_teaches_that_seed() -> None:
    nodes = nodes_of(sweep(trials=[{"teacher.per_repeat": True}, {"teacher.per_repeat": True, "alpha": 1}]))
    assert [name for name in nodes if name.phase == TEACHER] == [NodeName(TEACHER, 0, 0), NodeName(TEACHER, 1, 0)]
    assert nodes[NodeName(STUDENT, 1, 1)].learns_from == NodeName(TEACHER, 1, 0)


def test_students_of_other_budgets_are_other_controls_and_other_groups() -> None:
    nodes = nodes_of(sweep(space={"training.batch_size": [32, 64], "alpha": [0.1, 0.5, 0.9]}))
    assert [name.trial for name in nodes if name.phase == BASELINE] == [0, 3, 0, 3]
    students = [node for name, node in nodes.items() if name.phase == STUDENT and name.repeat == 0]
    assert [[node.name.trial for node in group] for group in groups(students, 10)] == [[0, 1, 2], [3, 4, 5]]
    assert [[node.name.trial for node in group] for group in groups(students, 2)] == [[0, 1], [2], [3, 4], [5]]


def test_networks_of_other_jobs_are_asked_for_once_in_order() -> None:
    jobs = [{"job": f"job_{name}"} for name in "aba"]
    base = {key: value for key, value in BASE.items() if key != "teacher"}
    spec = sweep(base=base, trials=[{"teacher": job, "alpha": at / 4} for at, job in enumerate(jobs)])
    assert [network.job for network in spec.networks()] == ["job_a", "job_b"]
    assert [name.trial for name in nodes_of(spec) if name.phase == TEACHER] == [0, 1]
