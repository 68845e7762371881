from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.http.errors import Problem
from api.http.json_body import MAX_DEPTH, MAX_VALUES, parse_object
from tests.api.conftest import SPEC, Service

JSON = {"Content-Type": "application/json"}

BAD_BODIES: list[tuple[bytes, str, str]] = [
    (b"", "malformed_json", "line 1, column 1"),
    (b'{"dataset": "digits",\n  "teacher" "mlp"}', "malformed_json", "line 2, column 13"),
    (b"{'dataset': 1}", "malformed_json", "double quotes"),
    (b'{"a": 1} x', "malformed_json", "column 10"),
    (b'{"a": "\x01"}', "malformed_json", "control character"),
    (b'{"a": "\xff"}', "malformed_json", "UTF-8"),
    (b'\xef\xbb\xbf{"a": 1}', "malformed_json", "BOM"),
    ('{"a": 1}'.encode("utf-16"), "malformed_json", "UTF-8"),
    (b"[1, 2]", "not_an_object", "got an array"),
    (b'"digits"', "not_an_object", "got a string"),
    (b"17", "not_an_object", "got a number"),
    (b"true", "not_an_object", "got a boolean"),
    (b"null", "not_an_object", "got null"),
    (b'{"temperature": NaN}', "malformed_json", "NaN is not JSON"),
    (b'{"temperature": -Infinity}', "malformed_json", "-Infinity is not JSON"),
    (b'{"temperature": 1e999}', "malformed_json", "too large"),
    (b'{"seed": ' + b"9" * 5000 + b"}", "malformed_json", "5000 digits"),
    (b'{"alpha": 1, "alpha": 1}', "malformed_json", "'alpha' appears twice"),
    (b'{"x": {"b": 1, "a": 2, "b": 3}}', "malformed_json", "'b' appears twice"),
    (b'{"name": "a\\u0000b"}', "malformed_json", "U+0000"),
    (b'{"\\ud800": 1}', "malformed_json", "U+D800"),
    (b'{"x": ' * 10_000 + b"1" + b"}" * 10_000, "too_deep", "32 deep"),
    (b"[" * 100_000, "too_deep", "32 deep"),
]


@pytest.mark.parametrize(("body", "code", "text"), BAD_BODIES, ids=lambda value: str(value)[:30])
def test_bad_bodies(client: httpx.Client, body: bytes, code: str, text: str) -> None:
    answer = client.post("/jobs", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert text in answer.json()["detail"]


@pytest.mark.parametrize("depth", [MAX_DEPTH, MAX_DEPTH + 1])
def test_the_depth_is_counted_from_the_outermost_object(depth: int) -> None:
    body = b'{"a":' * depth + b"1" + b"}" * depth
    if depth <= MAX_DEPTH:
        assert parse_object(body) == json.loads(body)
    else:
        with pytest.raises(Problem) as caught:
            parse_object(body)
        assert caught.value.code == "too_deep"


@pytest.mark.parametrize("more", [0, 1])
def test_values_are_counted_wherever_they_stand(more: int) -> None:
    """A megabyte of mistakes takes a hundred times as much memory to tell."""
    body = {"dataset": {"a": ["x"] * (MAX_VALUES - 4 + more)}, "b": None}
    if not more:
        assert parse_object(json.dumps(body).encode()) == body
    else:
        with pytest.raises(Problem, match="more than 12,000 values") as caught:
            parse_object(json.dumps(body).encode())
        assert caught.value.code == "body_too_large"


plain_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | plain_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(plain_text, inner, max_size=4),
)


@given(st.dictionaries(plain_text, values), st.booleans())
def test_an_honest_object_is_read_as_it_is(body: dict[str, Any], ascii_only: bool) -> None:
    assert parse_object(json.dumps(body, ensure_ascii=ascii_only).encode()) == body


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", "text/json", "nonsense", "",
     "application/json; charset=utf-16"],
)  # fmt: skip
def test_only_json_is_taken(client: httpx.Client, media_type: str) -> None:
    answer = client.post("/jobs", content=json.dumps(SPEC), headers={"Content-Type": media_type})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")
    assert "application/json" in answer.json()["detail"]


@pytest.mark.parametrize(
    "media_type", ["application/json", "APPLICATION/JSON; charset=UTF-8", "application/vnd.distillery+json"]
)
def test_all_ways_to_say_json(client: httpx.Client, media_type: str) -> None:
    answer = client.post("/jobs?validate_only=1", content=json.dumps(SPEC), headers={"Content-Type": media_type})
    assert answer.status_code == 200


def test_no_media_type_is_not_json(client: httpx.Client) -> None:
    assert client.post("/jobs", content=json.dumps(SPEC)).status_code == 415


def test_a_body_that_says_it_is_too_large_is_not_read(service: Service) -> None:
    with closing(HTTPConnection("127.0.0.1", service.port, timeout=30)) as connection:
        connection.putrequest("POST", "/jobs")
        connection.putheader("Content-Type", "application/json")
        connection.putheader("Content-Length", str(service.context.settings.max_body_bytes + 1))
        connection.endheaders()  # nothing follows: an answer can come only when none of the body is waited for
        answer = connection.getresponse()
        assert answer.status == 413
        assert json.load(answer)["code"] == "body_too_large"


def test_a_large_body_is_refused_and_the_connection_serves_on(service: Service) -> None:
    body = b" " * (service.context.settings.max_body_bytes + 1)
    answer = service.client.post("/jobs", content=body, headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert service.client.get("/healthz").status_code == 200


def test_a_stream_without_a_length_is_cut_off_at_the_limit(service: Service) -> None:
    limit = service.context.settings.max_body_bytes
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        yield b'{"name": "'
        while sent < 64 * limit:
            sent += 2**16
            yield b"x" * 2**16

    answer = service.client.post("/jobs", content=endless(), headers=JSON)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


def test_a_body_of_just_the_limit_is_read(service: Service) -> None:
    text = json.dumps(SPEC)
    body = text + " " * (service.context.settings.max_body_bytes - len(text))
    assert service.client.post("/jobs?validate_only=true", content=body, headers=JSON).status_code == 200
