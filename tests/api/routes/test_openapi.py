from __future__ import annotations

from typing import Any

import httpx
import pytest

from api.http.errors import CODES
from api.routes.openapi import EVALUATE_EXAMPLE, LONG_EXAMPLE, SHORT_EXAMPLE, SWEEP_EXAMPLE
from kd_engine.jobspec import EvaluateSpec, JobSpec, SweepSpec, parse_spec

ENDPOINTS = {
    "/jobs": {"get", "post"},
    "/jobs/{job_id}": {"get", "delete"},
    "/jobs/{job_id}/cancel": {"post"},
    "/jobs/{job_id}/pause": {"post"},
    "/jobs/{job_id}/resume": {"post"},
    "/jobs/{job_id}/retry": {"post"},
    "/jobs/{job_id}/deliveries": {"get"},
    "/jobs/{job_id}/events": {"get"},
    "/jobs/{job_id}/logs": {"get"},
    "/jobs/{job_id}/metrics": {"get"},
    "/jobs/{job_id}/report": {"get"},
    "/jobs/{job_id}/artifacts": {"get"},
    "/jobs/{job_id}/artifacts/{name}": {"get", "head"},
    "/datasets": {"get", "post"},
    "/datasets/{dataset_id}": {"get", "delete"},
    "/models": {"get", "post"},
    "/models/promote": {"post"},
    "/models/{model_id}": {"get", "delete"},
    "/evaluations": {"post"},
    "/sweeps": {"get", "post"},
    "/sweeps/{sweep_id}": {"get", "delete"},
    "/sweeps/{sweep_id}/report": {"get"},
    "/uploads": {"get", "post"},
    "/uploads/{upload_id}": {"get", "patch", "delete"},
    "/usage": {"get"},
    "/catalog": {"get"},
    "/healthz": {"get"},
    "/readyz": {"get"},
}


@pytest.fixture(scope="module")
def document(service: Any) -> dict[str, Any]:
    answer: dict[str, Any] = service.client.get("/openapi.json").json()
    return answer


def test_the_endpoints(document: dict[str, Any]) -> None:
    assert {path: set(operations) for path, operations in document["paths"].items()} == ENDPOINTS


def test_every_error_is_a_documented_problem(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            errors = {status: answer for status, answer in operation["responses"].items() if int(status) >= 400}
            free = path in {"/healthz", "/readyz"}
            assert {"403", "500", "503"} <= set(errors), (method, path)
            assert ("401" in errors) is not free, (method, path)
            assert operation["security"] == [{}, {"key": []}]
            for answer in errors.values():
                schema = answer["content"]["application/problem+json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ProblemView"}
    assert document["components"]["schemas"]["ProblemView"]["properties"]["code"]["enum"] == list(CODES)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    references = set(_references(document))
    assert "#/components/schemas/JobSpec" in references
    for reference in references:
        here: Any = document
        for part in reference.removeprefix("#/").split("/"):
            here = here[part]


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [found for inner in value.values() for found in _references(inner)]
    return [found for inner in value for found in _references(inner)] if isinstance(value, list) else []


def test_the_body_of_a_post_is_a_job_spec_and_its_examples_run(client: httpx.Client, document: dict[str, Any]) -> None:
    body = document["paths"]["/jobs"]["post"]["requestBody"]["content"]["application/json"]
    specs = (JobSpec, SweepSpec, EvaluateSpec)
    assert body["schema"] == {"anyOf": [{"$ref": f"#/components/schemas/{spec.__name__}"} for spec in specs]}
    for spec in specs:
        assert set(document["components"]["schemas"][spec.__name__]["properties"]) == set(spec.model_fields)
    sweep = {"kind": "sweep"} | SWEEP_EXAMPLE
    examples = {name: example["value"] for name, example in body["examples"].items()}
    assert examples == {"short": SHORT_EXAMPLE, "long": LONG_EXAMPLE, "evaluate": EVALUATE_EXAMPLE, "sweep": sweep}
    assert parse_spec(examples.pop("evaluate")).to_json()["kind"] == "evaluate"  # its job is made up
    for example in examples.values():
        assert client.post("/jobs?validate_only=true", json=example).status_code == 200


def test_the_schema_knows_the_short_forms(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in ("DatasetSpec", "TeacherSpec", "StudentSpec"):
        assert {"type": "string"} in schemas[name]["anyOf"]
    assert "adam" in schemas["TrainingSpec"]["properties"]["optimizer"]["anyOf"][0]["enum"]


def test_the_query_parameters_are_documented(document: dict[str, Any]) -> None:
    names = {row["name"] for row in document["paths"]["/jobs"]["get"]["parameters"]}
    assert names == {
        "state", "name", "dataset", "student", "created_after", "page_token", "page_size", "label.K",
    }  # fmt: skip


def test_the_catalog_has_all_that_a_spec_may_name(client: httpx.Client) -> None:
    answer = client.get("/catalog")
    catalog = answer.json()
    assert {"digits", "mnist", "cifar10"} <= {row["name"] for row in catalog["datasets"]}
    assert {"kl", "at", "logits"} <= {row["name"] for row in catalog["losses"]}
    for kind in ("models", "losses", "optimizers", "schedules", "augmentations"):
        assert all(row["schema"]["type"] == "object" for row in catalog[kind])
    again = client.get("/catalog", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_reports_manifests_and_events_have_schemas(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    answers = document["paths"]["/jobs/{job_id}/report"]["get"]["responses"]["200"]["content"]["application/json"]
    named = [one["$ref"].rpartition("/")[2] for one in answers["schema"]["anyOf"]]
    assert named == ["TrainingReport", "SweepReport", "EvaluationReport"]
    for name in (*named, "Manifest"):
        assert {"version", "task"} <= set(schemas[name]["properties"])
        assert "additionalProperties" not in schemas[name], "a later version may add fields"
    data = schemas["EventView"]["properties"]["data"]["anyOf"]
    assert {"$ref": "#/components/schemas/EpochEnd"} in data
    assert {"version"} <= set(schemas["RunStarted"]["properties"])


def test_a_metric_says_what_a_client_needs_to_show_it(service: Any) -> None:
    for task in service.client.get("/catalog").json()["tasks"]:
        assert task["metrics"]
        assert {tuple(metric) for metric in task["metrics"]} == {("name", "label", "unit", "better")}
