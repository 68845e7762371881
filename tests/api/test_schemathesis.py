"""What /openapi.json promises, held against the running service: no 5xx and no undocumented answer."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.errors import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.middleware.auth import FREE
from distillery.states import EndReason, JobState
from jobs.auth import Scope, new_key
from jobs.settings import Settings
from kd_engine.schema.report import TrainingReport, report_text
from tests.api.conftest import SPEC, Service, serving
from tests.api.routes.test_openapi import ENDPOINTS
from tests.compatibility.earlier import trained_report
from tests.kd_engine.intake.archives import by_class, zipped
from tests.kd_engine.intake.networks import linear_onnx

CHECKS = [
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance,
]  # fmt: skip
PARTIAL = 206  # a range of a JSON file is no JSON; what it holds is tested in tests/api/http/test_ranges.py
# an endless stream is no answer to check
ENDED = {"/jobs/{job_id}/events"}
# what deletes comes last
OPERATIONS = sorted(
    ((method, path) for path, methods in ENDPOINTS.items() for method in sorted(methods)),
    key=lambda row: row[0] == "delete",
)


REPORT = report_text(TrainingReport.read(trained_report())).encode()


class Promise:
    """A service, what it says of itself, and jobs to ask it about."""

    def __init__(self, service: Service, key: str | None, folder: Path) -> None:
        self.service = service
        self.headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        service.client.headers.update(self.headers)
        self.schema: Any = schemathesis.openapi.from_dict(service.openapi)
        self.schema.config.update(base_url=str(service.client.base_url))
        succeeded = service.create()
        token = service.start(succeeded)
        service.train(succeeded, token)
        service.publish(succeeded, token, "report.json", REPORT, folder)
        service.end(succeeded, EndReason.COMPLETED, token)
        archive, network = zipped(folder / "a.zip", by_class(2)).read_bytes(), linear_onnx(["N", 64])
        self.sent = {
            "sweep_id": service.client.post(
                "/sweeps", json={"base": SPEC, "space": {"temperature": [1, 4]}}, headers=self.headers
            ).json()["id"],
            "upload_id": service.client.post("/uploads", headers=self.headers).json()["id"],
            "dataset_id": service.client.post("/datasets", content=archive, headers=self.headers).json()["id"],
            "model_id": service.client.post(
                "/models", content=network, params={"dataset": "digits"}, headers=self.headers
            ).json()["id"],
        }
        self.ended = ["job_0", succeeded, service.job_in(JobState.FAILED)]
        self.all = [*self.ended, *(service.job_in(state) for state in JobState if not state.terminal)]

    def aimed(self, case: Case, job_id: str, name: str) -> Case:
        """The case with a job that exists, as random ids would all meet the same 404."""
        if "job_id" in case.path_parameters:
            case.path_parameters["job_id"] = job_id
        if name:  # and, as often, data sets and models that exist
            case.path_parameters.update({key: value for key, value in self.sent.items() if key in case.path_parameters})
        if "name" in case.path_parameters and name:
            case.path_parameters["name"] = name
        if case.query and isinstance(case.query.get("wait"), int | float):
            case.query["wait"] = min(case.query["wait"], 0.01)
        return case


@pytest.fixture(scope="module", params=["open", "keys"])
def promise(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Promise]:
    key, entry = new_key("vision", [Scope.READ, Scope.SUBMIT])
    keys = [entry] if request.param == "keys" else []
    home = tmp_path_factory.mktemp("home")
    with serving(Settings(home=home, broker_url="memory://", api_keys=keys, allow_open=True)) as service:
        with service.context.database.write() as repository:
            repository.beat("worker-1", "cpu", None)
        yield Promise(service, key if keys else None, tmp_path_factory.mktemp("file"))


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS])
def test_every_answer_is_as_documented(promise: Promise, method: str, path: str) -> None:
    operation = promise.schema[path][method]
    jobs = promise.ended if path in ENDED else promise.all
    cases = operation.as_strategy()
    if operation.query or operation.body:
        cases |= operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)

    @settings(
        max_examples=20, deadline=None, derandomize=True, phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=cases, job_id=st.sampled_from(jobs), name=st.sampled_from(["", "report.json"]))
    def ask(case: Case, job_id: str, name: str) -> None:
        aimed = promise.aimed(case, job_id, name)
        answer = aimed.call(headers=promise.headers)
        left_out = response_schema_conformance if answer.status_code == PARTIAL else None
        checks = [check for check in CHECKS if check is not left_out]
        aimed.validate_response(answer, checks=checks)

    ask()


@pytest.mark.parametrize("promise", ["keys"], indirect=True)
@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS])
def test_also_with_a_wrong_key(promise: Promise, method: str, path: str) -> None:
    case = promise.schema[path][method].Case(
        path_parameters={"job_id": promise.all[1], "name": "report.json", **promise.sent}
    )
    answer = case.call(headers={"Authorization": "Bearer wrong"})
    assert answer.status_code == (200 if path in FREE else 401)
    case.validate_response(answer, checks=CHECKS)


def test_an_answer_that_is_not_documented_is_found(promise: Promise) -> None:
    """That the checks above can fail."""
    operation = promise.schema["/jobs/{job_id}"]["get"]
    case = operation.Case(path_parameters={"job_id": "job_0"})
    answer = case.call(headers=promise.headers)
    case.validate_response(answer, checks=CHECKS)
    answer.status_code = 418
    with pytest.raises(FailureGroup):
        case.validate_response(answer, checks=CHECKS)
