"""The spec of an evaluation: what it takes, what it refuses, and how `kind` chooses between the two."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from kd_engine.jobspec import EvaluateSpec, JobSpec, NetworkInput, parse_spec
from kd_engine.jobspec.problems import field_problems

BODY: dict[str, Any] = {"kind": "evaluate", "dataset": "digits", "model": "job_1"}


def test_kind_chooses_the_spec() -> None:
    distill = {"dataset": "digits", "teacher": "mlp", "student": "mlp"}
    assert isinstance(parse_spec(distill), JobSpec)
    assert parse_spec(distill | {"kind": "distill"}) == parse_spec(distill)
    assert parse_spec(distill).to_json()["kind"] == "distill"
    assert isinstance(parse_spec(BODY), EvaluateSpec)


def test_the_short_form_is_the_students_network() -> None:
    spec = parse_spec(BODY)
    assert spec == parse_spec(BODY | {"model": {"job": "job_1", "role": "student"}})
    assert spec.networks() == (NetworkInput("model", "job_1", "student"),)
    assert parse_spec(spec.resolved().to_json()) == spec


def test_sources_of_both_kinds() -> None:
    both = parse_spec(BODY | {"teacher": {"job": "job_2", "role": "teacher"}})
    assert both.networks()[1] == NetworkInput("teacher", "job_2", "teacher")
    taught = {"dataset": "digits", "teacher": {"job": "job_3"}, "student": "mlp"}
    assert parse_spec(taught).networks() == (NetworkInput("teacher", "job_3", "student"),)
    assert parse_spec(taught | {"teacher": "mlp"}).networks() == ()
    several = parse_spec(taught | {"teacher": {"ensemble": ["job_4", {"job": "job_4", "role": "baseline"}]}})
    expected = tuple(
        NetworkInput(f"teacher/ensemble/{place}", "job_4", role) for place, role in enumerate(("student", "baseline"))
    )
    assert several.networks() == several.resolved().networks() == expected
    assert parse_spec(several.resolved().to_json()) == several.resolved()


@pytest.mark.parametrize(
    ("changes", "pointer", "says"),
    [
        ({"kind": "evaluat"}, "/kind", "did you mean 'evaluate'"),
        ({"kind": 3}, "/kind", "string"),
        ({"student": "mlp"}, "/student", "unknown key 'student'"),
        ({"model": {"job": "job_1", "role": "assistant"}}, "/model/role", "baseline"),
        ({"model": "../etc"}, "/model", "pattern"),
        ({"dataset": {"name": "digits", "mean": [0.1]}}, "/dataset/mean", "normalised as the network was trained"),
        ({"dataset": {"name": "digits", "validation": 0.2}}, "/dataset/validation", "no use for 'validation'"),
        ({"labels": {"": "x"}}, "/labels", "1 to 63"),
        ({"resources": {"devices": 2}}, "/resources/devices", "takes one device"),
    ],
)
def test_mistakes_are_explained(changes: dict[str, Any], pointer: str, says: str) -> None:
    body = BODY | changes
    with pytest.raises(ValidationError) as caught:
        parse_spec(body)
    problems = {problem.pointer: problem.message for problem in field_problems(caught.value, body)}
    assert says in problems[pointer]


def test_a_spec_that_is_no_object_is_refused() -> None:
    with pytest.raises(ValidationError):
        parse_spec(["evaluate"])
