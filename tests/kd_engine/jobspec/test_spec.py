"""The spec: two forms of one thing, resolved once and for all."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from kd_engine.jobspec import JobSpec, TeacherSpec, canonical_hash, teacher_hash
from kd_engine.losses.kl import KL
from kd_engine.losses.logits import Logits

Job = Callable[..., JobSpec]

_seed = st.integers(0, 2**31 - 1)
_weight = st.floats(0, 100, allow_nan=False)
_losses = st.lists(
    st.one_of(
        st.sampled_from(["kl", "logits"]),
        st.builds(
            lambda weight, temperature: {"kind": "kl", "weight": weight, "temperature": temperature},
            _weight, st.floats(0.1, 100),
        ),
        st.builds(lambda weight: {"kind": "logits", "weight": weight}, _weight),
    ),
    min_size=1, max_size=3,
)  # fmt: skip
_forms = st.one_of(
    st.fixed_dictionaries({}, optional={"temperature": st.floats(0.1, 100), "alpha": st.floats(0, 1)}),
    st.fixed_dictionaries({"losses": _losses}, optional={"ce_weight": _weight}),
)
_training = st.fixed_dictionaries(
    {},
    optional={
        "epochs": st.integers(1, 300),
        "batch_size": st.integers(1, 1024),
        "optimizer": st.sampled_from(["sgd", "adam", {"name": "adamw", "lr": 0.002, "betas": [0.5, 0.9]}]),
        "schedule": st.sampled_from(["cosine", {"name": "multistep", "milestones": [3, 7], "warmup_epochs": 1.5}]),
        "augmentation": st.lists(st.sampled_from(["crop", {"name": "flip", "p": 0.25}]), max_size=2),
        "clip_norm": st.floats(0.1, 10),
        "label_smoothing": st.floats(0, 0.5),
    },
)
_teachers = st.one_of(
    st.sampled_from(["mnist_cnn", "mlp"]),
    st.fixed_dictionaries(
        {"model": st.just("mlp")},
        optional={"params": st.just({"hidden": [32, 16]}), "training": _training, "seed": _seed},
    ),
    st.fixed_dictionaries({"job": st.just("job_0abc")}, optional={"role": st.just("teacher")}),
)
bodies = st.builds(
    lambda required, form, optional: required | form | optional,
    st.fixed_dictionaries(
        {
            "dataset": st.sampled_from(["mnist", "digits", {"name": "mnist", "validation": 0.1}]),
            "teacher": _teachers,
            "student": st.sampled_from(["softmax_regression", {"model": "mlp", "params": {"dropout": 0.5}}]),
        }
    ),
    _forms,
    st.fixed_dictionaries({}, optional={"training": _training, "seed": _seed, "baseline": st.booleans()}),
)


@given(bodies)
@settings(max_examples=150, deadline=None)
def test_resolving_is_idempotent_and_survives_json(body: dict[str, Any]) -> None:
    resolved = JobSpec.model_validate(body).resolved()
    read_back = JobSpec.model_validate(json.loads(json.dumps(resolved.to_json())))

    assert resolved.resolved() == resolved
    assert read_back == resolved
    assert read_back.resolved().to_json() == resolved.to_json()


@given(bodies)
@settings(max_examples=100, deadline=None)
def test_resolving_keeps_the_objective_and_leaves_only_the_long_form(body: dict[str, Any]) -> None:
    spec = JobSpec.model_validate(body)
    resolved = spec.resolved()

    assert resolved.objective() == spec.objective()
    assert resolved.temperature is None
    assert resolved.alpha is None
    assert resolved.losses
    assert resolved.ce_weight is not None


@given(temperature=st.floats(0.01, 1000), alpha=st.floats(0, 1))
@settings(max_examples=50, deadline=None)
def test_short_form_is_the_long_form_in_two_words(temperature: float, alpha: float) -> None:
    base = {"dataset": "mnist", "teacher": "mnist_cnn", "student": "softmax_regression"}
    short = JobSpec.model_validate(base | {"temperature": temperature, "alpha": alpha})
    long = JobSpec.model_validate(
        base
        | {
            "losses": [{"kind": "kl", "temperature": temperature, "weight": alpha}],
            "ce_weight": round(1 - alpha, 12),
        }
    )

    assert short.resolved() == long.resolved()


def test_nothing_about_the_loss_means_soft_targets_at_4_and_9_tenths(job: Job) -> None:
    assert job(temperature=None).objective() == ((KL(temperature=4, weight=0.9),), 0.1)


def test_long_form_counts_cross_entropy_once_unless_told(job: Job) -> None:
    losses, ce_weight = job(temperature=None, losses=["logits", {"kind": "kl", "weight": 2}]).objective()

    assert losses == (Logits(), KL(weight=2))
    assert ce_weight == 1


def test_resolved_spec_leaves_nothing_implicit(job: Job) -> None:
    data = job().resolved().to_json()

    assert data["dataset"] == {"name": "mnist", "validation": 5000, "mean": [0.0], "std": [1.0]}
    assert data["teacher"]["params"]["hidden"] == 1024
    assert data["teacher"]["params"]["num_classes"] == 10
    assert data["teacher"]["training"]["optimizer"]["betas"] == [0.9, 0.999]
    assert data["teacher"]["seed"] == 0
    assert data["student"]["params"] == {"num_classes": 10, "in_channels": 1}
    assert data["losses"] == [
        {"kind": "kl", "weight": 0.9, "warmup_epochs": 0.0, "standardize": False, "temperature": 5.0}
    ]
    assert data["ce_weight"] == 0.1
    assert data["training"]["schedule"] == {"name": "constant", "warmup_epochs": 0.0}


def test_teacher_from_a_job_is_its_student_unless_told(job: Job) -> None:
    assert job(teacher={"job": "job_1"}).resolved().teacher == TeacherSpec(job="job_1", role="student")


@pytest.mark.parametrize(
    ("written", "images"),
    [(None, 5000), (0.1, 6000), (0.5, 30_000), (1, 1), (123, 123), (0.000001, 1), (30_000, 30_000)],
)
def test_validation_is_a_fraction_below_1_and_a_number_from_1(job: Job, written: float | None, images: int) -> None:
    dataset = {"name": "mnist"} | ({} if written is None else {"validation": written})

    for spec in (job(dataset=dataset), job(dataset=dataset).resolved()):
        assert spec.dataset.held_out(spec.dataset.facts.train) == images


def test_specs_cannot_be_changed(job: Job) -> None:
    with pytest.raises(ValidationError, match="frozen"):
        job().seed = 3  # type: ignore[misc]


def key(job: JobSpec, data_sha256: str = "d" * 64) -> str:
    resolved = job.resolved()
    return teacher_hash(resolved.teacher, resolved.dataset, data_sha256)


TEACHER = {"model": "mlp"}


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"teacher": {"model": "mnist_cnn"}}, id="network"),
        pytest.param({"teacher": TEACHER | {"params": {"hidden": [8]}}}, id="parameters"),
        pytest.param({"teacher": TEACHER | {"training": {"epochs": 3}}}, id="epochs"),
        pytest.param({"teacher": TEACHER | {"training": {"optimizer": "sgd"}}}, id="optimizer"),
        pytest.param({"teacher": TEACHER | {"training": {"augmentation": ["crop"]}}}, id="augmentation"),
        pytest.param({"teacher": TEACHER | {"seed": 1}}, id="seed"),
        pytest.param({"seed": 1}, id="inherited seed"),
        pytest.param({"dataset": "digits"}, id="data set"),
        pytest.param({"dataset": {"name": "mnist", "validation": 100}}, id="validation"),
        pytest.param({"dataset": {"name": "mnist", "mean": [0.5]}}, id="normalisation"),
    ],
)
def test_teacher_hash_changes_with(job: Job, changes: dict[str, Any]) -> None:
    assert key(job(teacher=TEACHER)) != key(job(**{"teacher": TEACHER} | changes))


def test_teacher_hash_changes_with_the_data_that_was_read(job: Job) -> None:
    assert key(job()) != key(job(), "e" * 64)


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "another"},
        {"student": "mlp"},
        {"temperature": 2},
        {"temperature": None, "losses": ["logits"]},
        {"training": {"epochs": 99, "optimizer": "sgd"}},
        {"repeats": 5},
        {"baseline": False},
        {"labels": {"team": "vision"}},
        {"teacher": {"model": "mnist_cnn", "seed": 0}},
        {"teacher": {"model": "mnist_cnn", "training": {"epochs": 12, "batch_size": 128}}},
    ],
    ids=str,
)
def test_teacher_hash_does_not_change_with(job: Job, changes: dict[str, Any]) -> None:
    assert key(job()) == key(job(**changes))


def test_canonical_hash_does_not_depend_on_the_order_of_keys() -> None:
    assert canonical_hash({"a": 1, "b": [1.5, None]}) == canonical_hash({"b": [1.5, None], "a": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical_hash({"a": float("nan")})


def test_json_schema_holds_the_losses_and_their_ranges() -> None:
    schema = JobSpec.model_json_schema()

    temperature = schema["$defs"]["KL"]["properties"]["temperature"]
    assert (temperature["exclusiveMinimum"], temperature["maximum"]) == (0, 1000)
    assert schema["$defs"]["AT"]["properties"]["weight"]["default"] == 1000
    assert schema["$defs"]["Crop"]["properties"]["padding"]["maximum"] == 64
    assert schema["required"] == ["dataset", "teacher", "student"]
    assert schema["additionalProperties"] is False
    json.dumps(schema, allow_nan=False)
