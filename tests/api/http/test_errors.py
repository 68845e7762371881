from __future__ import annotations

import logging
from pathlib import Path

import httpx
import pytest

from jobs.settings import Settings
from tests.api.conftest import serving


@pytest.mark.parametrize("path", ["/", "/job", "/jobs/", "/jobs/job_0/", "/jobs/job_0/nothing", "/v1/jobs", "/%00"])
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
def test_unknown_paths(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.json()["type"] == "urn:distillery:problem:not_found"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/jobs", "GET, POST"),
        ("PATCH", "/jobs/job_0", "DELETE, GET"),
        ("GET", "/jobs/job_0/cancel", "POST"),
        ("POST", "/jobs/job_0/artifacts/x", "GET, HEAD"),
        ("POST", "/catalog", "GET"),
        ("OPTIONS", "/healthz", "GET"),
    ],
)
def test_wrong_methods(client: httpx.Client, method: str, path: str, allow: str) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer.headers["allow"] == allow
    assert allow in answer.json()["detail"]


def test_an_unexpected_error_is_logged_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("secret of the server")

    monkeypatch.setattr("api.routes.jobs.job_summary", fail)
    with serving(Settings(home=tmp_path, broker_url="memory://")) as service, caplog.at_level(logging.ERROR):
        service.create()
        answer = service.client.get("/jobs")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    assert "secret of the server" in caplog.text
