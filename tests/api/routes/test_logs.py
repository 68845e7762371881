from __future__ import annotations

import pytest

from distillery.resources import LogPage
from tests.api.conftest import Service

COUNT = 2300


@pytest.fixture(scope="module")
def logged(service: Service) -> str:
    job_id = service.create()
    token = service.start(job_id)
    with service.context.database.write() as repository:
        repository.write_log(job_id, token, [f"line {number}" for number in range(1, COUNT + 1)])
    return job_id


def test_pages(service: Service, logged: str) -> None:
    first = LogPage.model_validate(service.client.get(f"/jobs/{logged}/logs?page_size=5").json())
    assert [(line.seq, line.line) for line in first.lines] == [(n, f"line {n}") for n in range(1, 6)]
    assert first.next_after == 5
    last = LogPage.model_validate(service.client.get(f"/jobs/{logged}/logs?after={COUNT - 3}&page_size=5").json())
    assert [line.seq for line in last.lines] == [COUNT - 2, COUNT - 1, COUNT]
    assert last.next_after is None


@pytest.mark.parametrize(("asked", "shown"), [(1, 1), (3, 3), (10**6, 20)])
def test_the_tail_is_the_end_of_it_and_bounded(service: Service, logged: str, asked: int, shown: int) -> None:
    page = LogPage.model_validate(service.client.get(f"/jobs/{logged}/logs?tail={asked}").json())
    assert [line.seq for line in page.lines] == list(range(COUNT - shown + 1, COUNT + 1))
    assert page.next_after is None


@pytest.mark.parametrize(("query", "accept"), [("?format=text", "*/*"), ("", "text/plain")])
def test_as_text_all_of_it(service: Service, logged: str, query: str, accept: str) -> None:
    answer = service.client.get(f"/jobs/{logged}/logs{query}", headers={"Accept": accept})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.text == "".join(f"line {number}\n" for number in range(1, COUNT + 1))
    tail = service.client.get(f"/jobs/{logged}/logs?tail=2&format=text")
    assert tail.text == f"line {COUNT - 1}\nline {COUNT}\n"


def test_a_log_cannot_command_a_terminal(service: Service) -> None:
    job_id = service.create()
    token = service.start(job_id)
    line = "a\x1b[31mred\x9b\r\x07\tb\u2028<script>"
    with service.context.database.write() as repository:
        repository.write_log(job_id, token, [line])
    assert service.client.get(f"/jobs/{job_id}/logs").json()["lines"][0]["line"] == line
    text = service.client.get(f"/jobs/{job_id}/logs?format=text").text
    assert text == "a\\x1b[31mred\\x9b\\x0d\\x07\tb\u2028<script>\n"


def test_a_job_that_has_not_run_has_no_log(service: Service) -> None:
    job_id = service.create()
    assert service.client.get(f"/jobs/{job_id}/logs").json() == {"lines": [], "next_after": None}
    assert service.client.get(f"/jobs/{job_id}/logs?format=text").text == ""
