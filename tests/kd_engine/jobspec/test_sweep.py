"""What a sweep's spec becomes: its trials, or a problem that names the value and the combination."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from kd_engine.jobspec.inputs import NetworkInput
from kd_engine.jobspec.problems import field_problems
from kd_engine.jobspec.space import Range, at_random
from kd_engine.jobspec.sweep import MOST_TRIALS, SweepSpec
from kd_engine.losses.kl import KL

BASE = {"dataset": "digits", "teacher": "mnist_cnn", "student": "softmax_regression", "repeats": 3}


def sweep(**keys: Any) -> SweepSpec:
    return SweepSpec.model_validate({"kind": "sweep", "base": BASE} | keys)


def values(**keys: Any) -> list[dict[str, Any]]:
    return [dict(trial.values) for trial in sweep(**keys).expanded]


def test_a_grid_is_every_combination_in_order_each_a_whole_job() -> None:
    trials = sweep(space={"temperature": [1, 4], "alpha": [0.1, 0.9]}).expanded
    assert [dict(trial.values) for trial in trials] == [
        {"temperature": 1, "alpha": 0.1}, {"temperature": 1, "alpha": 0.9},
        {"temperature": 4, "alpha": 0.1}, {"temperature": 4, "alpha": 0.9},
    ]  # fmt: skip
    assert [trial.number for trial in trials] == [0, 1, 2, 3]
    assert trials[3].spec.losses == (KL(temperature=4, weight=0.9),)
    assert trials[3].spec.repeats == 3
    assert trials[3].spec == trials[3].spec.resolved()


def test_equal_trials_count_once_however_they_are_written() -> None:
    """Defaults, numbers written otherwise, and the same point of two spaces."""
    assert values(space=[{"temperature": [4, 4.0, 1]}, {"alpha": [0.9, 0.5]}], trials=[{"temperature": 4}]) == [
        {"temperature": 4}, {"temperature": 1}, {"alpha": 0.5},
    ]  # fmt: skip


def test_a_loss_without_weight_is_the_same_at_every_temperature() -> None:
    assert values(space={"temperature": [1, 4], "alpha": [0, 0.5]}) == [
        {"temperature": 1, "alpha": 0}, {"temperature": 1, "alpha": 0.5}, {"temperature": 4, "alpha": 0.5},
    ]  # fmt: skip


def test_a_path_changes_one_key_and_leaves_what_is_beside_it() -> None:
    [low, _] = sweep(space={"training.optimizer.lr": [0.01, 0.1]}).expanded
    plain = sweep(trials=[{}]).expanded[0].spec.training
    assert low.spec.training.optimizer == plain.optimizer.model_copy(update={"lr": 0.01})
    assert low.spec.training.epochs == plain.epochs
    [narrow, wide] = sweep(space={"student": ["mlp"], "student.params.hidden": [[8], [16]]}).expanded
    assert (narrow.spec.student.params["hidden"], wide.spec.student.params["hidden"]) == ([8], [16])
    [kept] = sweep(base=BASE | {"losses": ["kl", {"kind": "dist"}]}, trials=[{"losses.1.weight": 3}]).expanded
    assert [loss.weight for loss in kept.spec.losses or ()] == [KL().weight, 3.0]


def test_one_form_of_the_objective_takes_the_place_of_the_other() -> None:
    short = BASE | {"temperature": 2, "alpha": 0.5}
    assert [trial.spec.losses for trial in sweep(base=short, space={"losses": [[{"kind": "kl"}]]}).expanded] == [
        (KL(),)
    ]
    long = BASE | {"losses": ["kl"], "ce_weight": 0.5}
    assert sweep(base=long, space={"temperature": [8]}).expanded[0].spec.losses == (KL(temperature=8, weight=0.9),)


@pytest.mark.parametrize(("given", "expected"), [
    (Range(low=1, high=8, log=True, step=2), [1, 2, 4, 8]),
    (Range(low=1, high=9, step=4), [1, 5, 9]),
    (Range(low=0, high=1, step=0.25), [0, 0.25, 0.5, 0.75, 1]),
    (Range(low=0.001, high=0.1, log=True, step=10), [0.001, 0.01, 0.1]),
])  # fmt: skip
def test_a_range_with_a_step(given: Range, expected: list[float]) -> None:
    assert list(given.values()) == expected
    assert {type(value) for value in given.values()} == {int if given.whole else float}
    assert given.points() == len(expected)


def test_random_draws_are_the_same_each_time_and_stay_inside() -> None:
    asked = {"space": {"training.optimizer.lr": {"low": 1e-3, "high": 1, "log": True}, "temperature": [1, 2]}}
    first = values(search={"method": "random", "trials": 30, "seed": 1}, **asked)
    assert first == values(search={"method": "random", "trials": 30, "seed": 1}, **asked)
    assert first != values(search={"method": "random", "trials": 30, "seed": 2}, **asked)
    rates = [trial["training.optimizer.lr"] for trial in first]
    assert len(first) == 30
    assert 1e-3 <= min(rates) < 1e-2 < 1e-1 < max(rates) <= 1


def test_random_ends_when_the_space_is_used_up() -> None:
    assert len(values(space={"temperature": [1, 2, 4]}, search={"method": "random", "trials": 50})) == 3


def test_every_space_of_a_union_is_drawn_from() -> None:
    drawn = list(at_random(({"a": (1, 2)}, {"b": (3,)}), 1, seed=0))
    assert {tuple(values) for values in drawn} == {("a",), ("b",)}


@pytest.mark.parametrize(("keys", "pointer", "words"), [
    ({}, "/space", "nothing to try"),
    ({"space": {}}, "/space", "no path"),
    ({"space": [{"alpha": [1]}, {}]}, "/space/1", "no path"),
    ({"space": {"alfa": [0]}}, "/space/alfa", "did you mean 'alpha'"),
    ({"space": {"temperature": [1, -2], "alpha": [0.5]}}, "/space/temperature", "got -2. In the trial with "
     "temperature = -2, alpha = 0.5."),
    ({"space": {"training.epochs": ["many"]}}, "/space/training.epochs", "whole number|valid integer"),
    ({"space": {"temperature.x": [1]}}, "/space/temperature.x", "In the trial with"),
    ({"space": {"losses.0.weight": [1]}}, "/space", "leads into a list that 'base' does not have"),
    ({"trials": [{"alpha": 1}, {"alpha": 2}]}, "/trials/1/alpha", "alpha = 2"),
    ({"space": {"dataset": ["mnist"]}}, "/space/dataset", "a sweep for each data set"),
    ({"space": {"seed": [1, 2]}}, "/space/seed", "repeats"),
    ({"space": {"labels.team": ["a"]}}, "/space/labels.team", "the sweep's own"),
    ({"space": {"alpha": {"low": 1, "high": 0}}}, "/space/alpha/low", "'low' below 'high'"),
    ({"space": {"alpha": {"low": 0, "high": 1}}}, "/space/alpha", "a grid needs a 'step'"),
    ({"space": {"alpha": {"low": 0, "high": 1, "log": True}}}, "/space/alpha/low", "above 0"),
    ({"space": {"temperature": list(range(1, MOST_TRIALS + 2))}}, "/space", f"more than {MOST_TRIALS}"),
    ({"space": {"temperature": list(range(1, 1001)), "alpha": [i / 1000 for i in range(1000)]}}, "/space",
     "a grid of 1,000,000 combinations"),
    ({"space": {"alpha": {"low": 0, "high": 1, "step": 1e-300}}}, "/space/alpha/step", "larger steps"),
    ({"space": {"alpha": {"low": 0, "high": 1e300}}}, "/space/alpha/high", "less than or equal to"),
    ({"space": [{"alpha": [1] * 300, "temperature": [1] * 300}] * 2}, "/space/0", "a grid of 180,000"),
    ({"space": {"student.params." + "x." * 5000: [1]}}, "/space", "at most 12 keys"),
    ({"space": {"alpha": [1]}, "search": "bayes"}, "/search", "unknown search 'bayes'"),
    ({"space": {"alpha": [1]}, "base": BASE | {"kind": "sweep"}}, "/base/kind", "over distillation jobs"),
    ({"space": {"alpha": [1]}, "base": BASE | {"student": "nothing"}}, "/base/student", "unknown model"),
    ({"space": {"alpha": [1]}, "base": BASE | {"baseline": False}}, "/base/baseline", "part of every sweep"),
    ({"space": {"alpha": [1]}, "base": BASE | {"repeats": "auto"}}, "/base/repeats", "expected a number"),
    ({"space": {"alpha": [1]}, "base": BASE | {"resources": {"devices": 2}}}, "/base/resources/devices", "one device"),
    ({"space": {"alpha": [1]}, "search": "tpe"}, "/search", "Known: grid, random"),
    ({"space": {"alpha": [1]}, "base": BASE | {"labels": {}}}, "/base/labels", "beside 'base'"),
])  # fmt: skip
def test_what_is_wrong_is_named_with_its_place_and_combination(keys: Any, pointer: str, words: str) -> None:
    body = {"kind": "sweep", "base": BASE} | keys
    with pytest.raises(ValidationError) as caught:
        SweepSpec.model_validate(body)
    [problem] = field_problems(caught.value, body)
    assert problem.pointer == pointer
    assert any(word in problem.message for word in words.split("|")), problem.message


def test_a_network_that_teaches_several_trials_is_needed_once() -> None:
    jobs = ["job_01JZ0000000000000000000000", "job_01JZ0000000000000000000001"]
    base = BASE | {"teacher": {"job": jobs[0]}}

    needed = sweep(base=base, space={"temperature": [1, 4], "teacher.job": jobs}).inputs()

    assert needed == tuple(NetworkInput(f"teacher/{at}", job, "student") for at, job in enumerate(jobs))
