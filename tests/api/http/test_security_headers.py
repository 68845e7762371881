"""What answers tell a browser, and the pages that say more."""

from __future__ import annotations

import re
from pathlib import Path

import httpx
import pytest

from api.http.security_headers import ALWAYS
from tests.api.conftest import Service

PAGES = ["/docs", "/redoc"]


def policy(answer: httpx.Response) -> dict[str, list[str]]:
    """By directive."""
    parts = answer.headers["content-security-policy"].split(";")
    return {words[0]: words[1:] for words in map(str.split, parts)}


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/jobs"), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/nothing"), ("PUT", "/jobs"),
     ("POST", "/jobs"), ("GET", "/openapi.json"), ("GET", "/docs/start.js"), ("GET", "/docs/nothing")],
)  # fmt: skip
def test_every_answer_runs_nothing_and_is_framed_by_nobody(client: httpx.Client, method: str, path: str) -> None:
    for headers in ({}, {"Host": "evil.example"}, {"Origin": "https://evil.example"}):
        answer = client.request(method, path, headers=headers)
        assert ALWAYS.items() <= answer.headers.items(), answer.headers
    assert policy(answer) == {"default-src": ["'none'"], "frame-ancestors": ["'none'"]}


def test_so_does_a_file_of_a_job(service: Service, tmp_path: Path) -> None:
    job_id = service.create()
    service.publish(job_id, service.start(job_id), "page.html", b"<script>alert(1)</script>", tmp_path)
    for headers in ({}, {"Range": "bytes=0-3"}, {"Range": "bytes=99-"}):
        answer = service.client.get(f"/jobs/{job_id}/artifacts/page.html", headers=headers)
        assert ALWAYS.items() <= answer.headers.items()


def test_so_does_an_error_that_nobody_foresaw(own_service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_service.context.database, "read", lambda: 1 / 0)
    answer = own_service.client.get("/jobs")
    assert answer.status_code == 500
    assert ALWAYS.items() <= answer.headers.items()


@pytest.mark.parametrize("path", PAGES)
def test_a_page_takes_everything_from_here(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    rules = policy(page)
    assert rules["default-src"] == rules["frame-ancestors"] == rules["base-uri"] == rules["form-action"] == ["'none'"]
    assert rules["script-src"] == rules["connect-src"] == ["'self'"]
    assert not {"'unsafe-inline'", "'unsafe-eval'", "*", "https:", "http:"} & {
        word for words in rules.values() for word in words
    }
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?! src=)|<style|style=|\son\w+=|//", page.text)
    files = [file for file in re.findall(r'(?:src|href)="([^"]*)"', page.text) if file != "data:,"]
    assert len(files) == 3
    start = next(file for file in files if file.endswith("start.js"))
    assert '"openapi.json"' in client.get(f"/{start}").text
    for file in files:
        kind = {"js": "text/javascript", "css": "text/css"}[file.rpartition(".")[2]]
        answer = client.get(f"/{file}")
        assert (answer.status_code, answer.headers["content-type"]) == (200, f"{kind}; charset=utf-8")
        again = client.get(f"/{file}", headers={"If-None-Match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path", ["/docs/..%2fmain.py", "/redoc/../main.py", "/docs/swagger/swagger-ui.css", "/docs/", "/redoc/start.js.map"]
)
def test_no_other_file_of_the_package_is_served(client: httpx.Client, path: str) -> None:
    assert client.get(path).json()["code"] == "not_found"
