"""The plan of a job: which trainings, in which order, and which of them see the same batches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from kd_engine.jobspec import JobSpec, TrainingSpec
from kd_engine.networks.network import Network
from kd_engine.runs.plan import LABELS_ALONE, Train, plan_of
from kd_engine.runs.sweep_plan import groups
from kd_engine.schema.phases import NodeName
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec

TEACHER = NodeName("teacher")


def plan(**keys: Any) -> tuple[Train, ...]:
    return plan_of(JobSpec.model_validate(DIGITS | keys).resolved())


def test_a_teacher_then_for_each_seed_the_student_alone_and_the_distilled_one() -> None:
    nodes = plan(repeats=2, seed=5)

    assert [node.name[:2] for node in nodes] == [
        ("teacher", 0), ("baseline", 0), ("student", 0), ("baseline", 1), ("student", 1)
    ]  # fmt: skip
    assert [node.seed for node in nodes] == [5, 5, 5, 6, 6]
    assert [node.learns_from for node in nodes] == [None, None, TEACHER, None, TEACHER]
    assert {node.compared_with for node in nodes[1:]} == {TEACHER}
    assert [node.objective == LABELS_ALONE for node in nodes] == [True, True, False, True, False]


def test_a_teacher_for_each_repeat_has_its_seed() -> None:
    teacher = {"model": "mlp", "seed": 3, "per_repeat": True}
    nodes = [node for node in plan(repeats=2, seed=5, teacher=teacher) if node.name.phase != "baseline"]

    assert [(node.name.phase, node.seed) for node in nodes] == [
        ("teacher", 3), ("student", 5), ("teacher", 4), ("student", 6)
    ]  # fmt: skip
    assert nodes[3].learns_from == nodes[2].name
    assert nodes[2].network.seed == 4  # type: ignore[union-attr]


def test_a_teacher_that_is_given_is_not_trained() -> None:
    [teacher, *_] = plan(teacher={"job": "job_01JZ0000000000000000000000"}, seed=2)

    assert (teacher.recipe, teacher.epochs, teacher.seed) == (None, 0, 2)


def trials(*changes: dict[str, Any]) -> list[Train]:
    """Students of one teacher that differ so."""
    *_, student = plan()
    return [replace(student, name=NodeName("student", 0, trial), **change) for trial, change in enumerate(changes)]


def recipe(**keys: Any) -> TrainingSpec:
    return TrainingSpec.model_validate(DIGITS["training"] | keys)


@pytest.mark.parametrize(
    ("other", "together"),
    [
        ({"objective": LABELS_ALONE}, True),
        ({"recipe": recipe(optimizer={"name": "adam", "lr": 0.01})}, True),
        ({"recipe": recipe(label_smoothing=0.1)}, True),
        ({"recipe": recipe(batch_size=7)}, False),
        ({"recipe": recipe(epochs=99)}, False),
        ({"recipe": recipe(augmentation=["flip"])}, False),
        ({"seed": 1}, False),
        ({"learns_from": NodeName("teacher", 1)}, True),
    ],
    ids=["objective", "optimizer", "smoothing", "batch_size", "epochs", "augmentation", "seed", "teacher"],
)
def test_students_of_the_same_batches_form_a_group(other: dict[str, Any], together: bool) -> None:
    nodes = trials({"recipe": recipe()}, {"recipe": recipe()} | other)

    assert groups(nodes, most=2) == ([nodes] if together else [[node] for node in nodes])


def test_a_teacher_found_in_the_cache_says_the_seed_that_it_was_trained_with(tmp_path: Path) -> None:
    body = DIGITS | {"teacher": {**DIGITS["teacher"], "seed": 9}, "seed": 4, "export": [], "baseline": False}
    files = []
    for name in ("trained", "cached"):
        recorder = Recorder()
        run_spec(body, tmp_path / name, recorder, cache_dir=tmp_path / "cache")
        files.append((tmp_path / name / "teacher.safetensors").read_bytes())

    assert next(event for event in recorder.of("phase_ended")).source == "cache"
    assert b'"seed": 9' in files[0].replace(b'\\"', b'"')
    assert files[0] == files[1]


def test_a_teacher_is_folded_once_however_many_students_learn_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folds: list[str] = []
    folded = Network.folded

    def counted(self: Network) -> Network:
        folds.append(self.architecture.model)
        return folded(self)

    monkeypatch.setattr(Network, "folded", counted)
    body = DIGITS | {"repeats": 3, "baseline": False, "training": {"epochs": 1, "batch_size": 512}}
    for cache in ("auto", "off"):
        assert run_spec(body | {"teacher_cache": cache}, tmp_path / cache).reason == "completed"

    assert folds == ["mnist_cnn", "mnist_cnn"]
