"""A sweep on its way in: what was sent is looked up in its base and values, and each trial is checked as a job."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

from api.http.errors import Problem, invalid_spec
from kd_engine.jobspec import AnySpec, SweepSpec
from kd_engine.jobspec.problems import FieldProblem
from kd_engine.jobspec.sweep import Trial

Resolve = Callable[[dict[str, Any]], dict[str, Any]]
_TEACHER = "teacher"


def resolve_sweep(body: dict[str, Any], resolve: Resolve) -> dict[str, Any]:
    """The body with all that is known of what was sent, in `base` and where values are teachers.

    Args:
        resolve: does this for the body of a job; raises Problem with pointers into it.
    """
    changed: dict[str, Any] = {}
    if isinstance(body.get("base"), dict):
        with _pointers(lambda pointer: f"/base{pointer}"):
            changed["base"] = resolve(body["base"])
    space = body.get("space")
    if isinstance(space, dict):
        changed["space"] = _space(space, "/space", resolve)
    elif isinstance(space, list):
        changed["space"] = [_space(part, f"/space/{place}", resolve) for place, part in enumerate(space)]
    if isinstance(body.get("trials"), list):
        changed["trials"] = [
            values | {_TEACHER: _teacher(values[_TEACHER], f"/trials/{place}/{_TEACHER}", resolve)}
            if isinstance(values, dict) and _TEACHER in values
            else values
            for place, values in enumerate(body["trials"])
        ]
    return body | changed


def _space(space: Any, at: str, resolve: Resolve) -> Any:
    if not isinstance(space, dict) or not isinstance(space.get(_TEACHER), list):
        return space
    values = [
        _teacher(value, f"{at}/{_TEACHER}/{place}", resolve) for place, value in enumerate(space[_TEACHER])
    ]  # fmt: skip
    return space | {_TEACHER: values}


def _teacher(value: Any, at: str, resolve: Resolve) -> Any:
    with _pointers(lambda pointer: at + pointer.removeprefix(f"/{_TEACHER}")):
        return resolve({_TEACHER: value})[_TEACHER]


def check_each(spec: AnySpec, check: Callable[[AnySpec], None]) -> None:
    """Checks a job; of a sweep, the job that each trial is.

    Raises:
        Problem: what `check` raises; of a trial, with the place in the sweep and the combination.
    """
    if not isinstance(spec, SweepSpec):
        check(spec)
        return
    for trial in spec.expanded:
        with _pointers(partial(_place, trial, spec), _shown(trial)):
            check(trial.spec)


def check_number(spec: AnySpec, most: int) -> None:
    """Raises Problem 422 for a sweep of more trials than this service takes."""
    if isinstance(spec, SweepSpec) and len(spec.expanded) > most:
        message = f"{len(spec.expanded)} trials; this service takes at most {most} in a sweep (KD_SWEEP_TRIALS)."
        raise invalid_spec([FieldProblem("/space" if spec.space else "/trials", message, "too_many_trials")])


def _place(trial: Trial, spec: SweepSpec, pointer: str) -> str:
    root = pointer.split("/")[1]
    if any(path.partition(".")[0] == root for path in trial.values):
        return "/space" if spec.space else "/trials"
    return f"/base{pointer}"


def _shown(trial: Trial) -> str:
    return " In the trial with " + ", ".join(f"{path} = {value!r}" for path, value in trial.values.items()) + "."


@contextmanager
def _pointers(into: Callable[[str], str], more: str = "") -> Iterator[None]:
    """Problems of a job that is a part of a body: told with pointers into the whole."""
    try:
        yield
    except Problem as problem:
        if problem.code != "invalid_spec":
            raise
        moved = [
            FieldProblem(into(error["pointer"]), error["message"] + more, error["code"]) for error in problem.errors
        ]
        raise invalid_spec(moved) from None
