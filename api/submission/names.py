"""Specs that call what their owner sent by its name: the ids that the names stand for."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from pydantic import ValidationError

from api.dependencies.context import Context
from api.http.errors import Problem, invalid_spec
from api.submission.references import sent_dataset, with_dataset, with_models
from api.submission.sweeps import resolve_sweep
from jobs.auth import Caller
from jobs.ids import is_dataset_id, is_job_id, is_model_id
from jobs.repository import Repository, Sent
from jobs.tables import SentDataset, SentModel
from kd_engine.catalog import DATASETS, MODELS
from kd_engine.jobspec.problems import FieldProblem, field_problems
from kd_engine.schema.strict_model import nearest

_AT_DATASET = re.compile(r"/dataset(/name)?")
_AT_MODEL = re.compile(r"/(teacher|model)(/ensemble/\d+)?(/model|/job)?")
_UNKNOWN = {"unknown_name", "string_pattern_mismatch"}
_SEARCHED, _SHOWN = 500, 5


def _with_ids(body: dict[str, Any], repository: Repository, owner: str) -> dict[str, Any]:
    """The body with the id of each data set and each model of the owner's that it calls by name.

    What the catalogue calls so comes first, and of several of the owner's the one that was named last. Names that
    nothing has stay as they are.
    """
    changed: dict[str, Any] = {}
    if "dataset" in body:
        changed["dataset"] = _with_dataset(body["dataset"], repository, owner)
    for key in ("teacher", "model"):
        if key in body:
            changed[key] = _with_model(body[key], lambda name: repository.model_named(name, owner))
    return body | changed


def _with_dataset(asked: Any, repository: Repository, owner: str) -> Any:
    name = asked.get("name") if isinstance(asked, dict) else asked
    if not isinstance(name, str) or name in DATASETS or is_dataset_id(name):
        return asked
    found: Sent[SentDataset] | None = repository.dataset_named(name, owner)
    return asked if found is None else _replaced(asked, "name", found.row.id)


def _with_model(asked: Any, find: Callable[[str], Sent[SentModel] | None]) -> Any:
    if isinstance(asked, dict) and isinstance(asked.get("ensemble"), list):
        return asked | {"ensemble": [_with_model(member, find) for member in asked["ensemble"]]}
    name = asked.get("model") if isinstance(asked, dict) else asked
    if not isinstance(name, str) or name in MODELS or is_model_id(name) or is_job_id(name):
        return asked
    found = find(name)
    return asked if found is None else _replaced(asked, "model", found.row.id)


def _replaced(asked: Any, key: str, value: str) -> Any:
    return asked | {key: value} if isinstance(asked, dict) else value


def resolve(body: dict[str, Any], context: Context, caller: Caller) -> dict[str, Any]:
    """The body with all that is known of what was sent, and that it asks for by name or id.

    Raises:
        Problem: 422; there is no such thing, or it is not ready.
    """
    with context.database.read() as repository:

        def resolved(body: dict[str, Any]) -> dict[str, Any]:
            body = _with_ids(body, repository, caller.owner)
            if (dataset_id := sent_dataset(body)) is not None:
                body = with_dataset(body, dataset_id, repository, context.store, caller.owner_filter)
            return with_models(body, lambda model_id: repository.model(model_id, caller.owner_filter))

        return resolve_sweep(body, resolved) if body.get("kind") == "sweep" else resolved(body)


def refused(error: ValidationError, body: dict[str, Any], context: Context, caller: Caller) -> Problem:
    """422 for what pydantic found in the body; names that nothing has say what the owner's own are called."""
    problems = field_problems(error, body)
    if any(problem.code in _UNKNOWN for problem in problems):
        with context.database.read() as repository:
            problems = [_advised(problem, body, repository, caller.owner) for problem in problems]
    return invalid_spec(problems)


def _advised(problem: FieldProblem, body: dict[str, Any], repository: Repository, owner: str) -> FieldProblem:
    if problem.code not in _UNKNOWN:
        return problem
    if _AT_DATASET.fullmatch(problem.pointer):
        names = repository.dataset_names(owner, _SEARCHED)
    elif _AT_MODEL.fullmatch(problem.pointer):
        names = repository.model_names(owner, _SEARCHED)
    else:
        return problem
    if not names:
        return problem
    near = nearest(str(_value(body, problem.pointer))[:200], names)
    hint = f"Of what you sent, did you mean '{near}'?" if near else f"You have sent {_listed(names)}."
    return FieldProblem(problem.pointer, f"{problem.message} {hint}", problem.code)


def _listed(names: Sequence[str]) -> str:
    more = ", ..." if len(names) > _SHOWN else ""
    return ", ".join(f"'{name}'" for name in names[:_SHOWN]) + more


def _value(body: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        body = body[int(part) if isinstance(body, list) else part]
    return body
