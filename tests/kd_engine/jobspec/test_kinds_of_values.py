"""A number is a number and a truth value is one, wherever in a spec."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from kd_engine.catalog import MODELS
from kd_engine.images.augmentations import AUGMENTATIONS
from kd_engine.jobspec import JobSpec
from kd_engine.jobspec.problems import field_problems
from kd_engine.losses import LOSSES
from kd_engine.optim.optimizers import OPTIMIZERS
from kd_engine.optim.schedules import SCHEDULES

Body = Callable[..., dict[str, Any]]
NAMED: dict[str, type[BaseModel]] = {
    **OPTIMIZERS, **SCHEDULES, **AUGMENTATIONS, **LOSSES,
    **{name: row.params for name, row in MODELS.items()},
}  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], bool | int | float]]:
    """Where the numbers and truth values of a JSON document are."""
    if isinstance(value, bool | int | float):
        yield path, value
    elif isinstance(value, dict | list):
        for key, inner in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(inner, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    document = copy.deepcopy(document)
    here = document
    for key in path[:-1]:
        here = here[key]
    here[path[-1]] = value
    return document


def refused_everywhere(cls: type[BaseModel], document: dict[str, Any]) -> int:
    """That no leaf of a valid document may be of another kind; how many were tried."""
    cls.model_validate(document)
    tried = 0
    for path, value in places(document):
        for wrong in (1, 0, "true", "no") if isinstance(value, bool) else (True, False, str(value), f" {value} "):
            body = changed(document, path, wrong)
            with pytest.raises(ValidationError) as caught:
                cls.model_validate(body)
            pointers = [problem.pointer for problem in field_problems(caught.value, body)]
            assert "/" + "/".join(map(str, path)) in pointers, (path, wrong)
            tried += 1
    return tried


@pytest.mark.parametrize("name", NAMED)
def test_no_parameter_is_made_of_another_kind(name: str) -> None:
    cls = NAMED[name]
    refused_everywhere(cls, cls.model_validate({}).model_dump(mode="json", exclude_none=True))


def test_no_value_of_a_spec_is(body: Body) -> None:
    spec = JobSpec.model_validate(
        body(
            dataset={"name": "digits", "validation": 180, "mean": [0.5], "std": [0.25]},
            student={"model": "mlp", "params": {"hidden": [4, 5]}},
            training={"ema": 0.9, "patience": 3, "snapshots": [2], "augmentation": [{"name": "crop", "padding": 1}]},
            keep_days=1.5,
            resources={"timeout_seconds": 5},
        )
    )
    assert refused_everywhere(JobSpec, spec.to_json()) > 100
    assert refused_everywhere(JobSpec, spec.resolved().to_json()) > 100


def test_a_whole_number_may_be_written_with_a_point(body: Body) -> None:
    """Some languages know no other numbers; a float may be written without one."""
    assert JobSpec.model_validate(body(seed=3.0, temperature=5)).to_json() == (
        JobSpec.model_validate(body(seed=3, temperature=5.0)).to_json()
    )
