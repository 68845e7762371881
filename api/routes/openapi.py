"""The OpenAPI document: FastAPI's own, with the job spec's schema and examples and the errors as they really are."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from api.http.errors import CODES
from api.middleware.auth import FREE
from distillery.problems import ProblemView
from distillery.resources import Progress
from kd_engine.jobspec import CheckSpec, EvaluateSpec, JobSpec, RegisterSpec, SweepSpec
from kd_engine.schema.evaluation_report import EvaluationReport
from kd_engine.schema.events import RECORDED
from kd_engine.schema.report import TrainingReport
from kd_engine.schema.sweep_report import SweepReport

_REFERENCE = "#/components/schemas/{model}"
_REPORTS = (TrainingReport, SweepReport, EvaluationReport)
SWEEP_REPORT = {"$ref": _REFERENCE.format(model=SweepReport.__name__)}
REPORT: dict[str, Any] = {
    "anyOf": [{"$ref": _REFERENCE.format(model=model.__name__)} for model in _REPORTS],
    "description": "As the schema has it from version 2 on; one without a version is of version 1.",
}
SHORT_EXAMPLE: dict[str, Any] = {
    "dataset": "mnist", "teacher": "mnist_cnn", "student": "softmax_regression", "temperature": 5,
}  # fmt: skip
LONG_EXAMPLE: dict[str, Any] = {
    "name": "softmax from a CNN, T=5",
    "dataset": {"name": "mnist", "validation": 0.1},
    "teacher": {"model": "mnist_cnn", "params": {}, "training": {"epochs": 12}},
    "student": {"model": "softmax_regression"},
    "temperature": 5,
    "alpha": 0.9,
    "training": {
        "epochs": 12,
        "batch_size": 128,
        "optimizer": {"name": "adam", "lr": 0.001},
        "schedule": {"name": "constant"},
        "augmentation": [],
        "precision": "auto",
    },
    "baseline": True,
    "seed": 0,
    "repeats": 1,
    "labels": {"team": "vision"},
}
EVALUATE_EXAMPLE: dict[str, Any] = {
    "kind": "evaluate", "dataset": "mnist", "model": {"job": "job_01JZ0000000000000000000000", "role": "student"},
}  # fmt: skip
SWEEP_EXAMPLE: dict[str, Any] = {
    "base": {"dataset": "digits", "teacher": "mnist_cnn", "student": "softmax_regression", "repeats": 3},
    "space": {"temperature": [1, 4], "alpha": [0.5, 0.9]},
}
_POSTED = ("JobSpec", "SweepSpec", "EvaluateSpec")
SPEC_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"anyOf": [{"$ref": _REFERENCE.format(model=model)} for model in _POSTED]},
            "examples": {
                "short": {"summary": "The shortest one that works", "value": SHORT_EXAMPLE},
                "long": {"summary": "Everything said", "value": LONG_EXAMPLE},
                "sweep": {"summary": "Many students, compared", "value": {"kind": "sweep"} | SWEEP_EXAMPLE},
                "evaluate": {"summary": "Measures a network of an earlier job again", "value": EVALUATE_EXAMPLE},
            },
        }
    },
}
SWEEP_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["base"],
                "description": "As SweepSpec, without its `kind`.",
                "properties": {"base": {}, "space": {}, "trials": {}, "search": {}},
            },
            "example": SWEEP_EXAMPLE,
        }
    },
}
EVALUATION_BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["dataset", "model"],
                "description": "As EvaluateSpec, without its `kind`.",
                "properties": {"dataset": {}, "model": {}, "teacher": {}},
            },
            "example": {"dataset": "mnist", "model": "mdl_01JZ0000000000000000000000"},
        }
    },
}


_SPECS = (JobSpec, SweepSpec, EvaluateSpec, CheckSpec, RegisterSpec)
_KEY = {"type": "http", "scheme": "bearer", "description": "An API key, where the service asks for one."}


def install(app: FastAPI, *, keys: bool) -> None:
    """Makes `app` serve this document; with `keys`, callers need one."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, keys)
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def _document(app: FastAPI, keys: bool) -> dict[str, Any]:
    document = get_openapi(title=app.title, version=app.version, description=app.description, routes=app.routes)
    schemas: dict[str, Any] = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (*_SPECS, ProblemView, Progress, *_REPORTS, *RECORDED):
        schema = model.model_json_schema(ref_template=_REFERENCE)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    schemas["EventView"]["properties"]["data"] = _event_data(schemas["EventView"]["properties"]["data"])
    schemas["ProblemView"]["properties"]["code"]["enum"] = list(CODES)
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    document["components"]["securitySchemes"] = {"key": _KEY}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _drop_validation_error(operation)
            operation["security"] = [{"key": []}] if keys and path not in FREE else [{}, {"key": []}]
    return document


def _event_data(plain: dict[str, Any]) -> dict[str, Any]:
    """What the engine reports is one of its events, without the `type`; the rest is the service's own."""
    known = [{"$ref": _REFERENCE.format(model=model.__name__)} for model in RECORDED]
    return {"title": plain["title"], "anyOf": [*known, {"type": "object", "additionalProperties": True}]}


def _drop_validation_error(operation: dict[str, Any]) -> None:
    """FastAPI documents a 422 of its own for each path parameter; this service never sends it."""
    answer = operation["responses"].get("422", {})
    if "HTTPValidationError" in str(answer):
        del operation["responses"]["422"]
