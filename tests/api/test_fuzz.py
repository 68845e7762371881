"""Whatever is posted, the answer is one of the documented ones, and never a failure of the server."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distillery.states import JobState
from tests.api.conftest import SPEC, Service

# the shared api is not reset between examples, and need not be: every body is answered on its own
relaxed = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

KEYS = [
    *SPEC, "name", "alpha", "losses", "ce_weight", "training", "baseline", "seed", "repeats", "labels", "resources",
    "model", "params", "job", "role", "kind", "weight", "epochs", "batch_size", "optimizer", "schedule", "milestones",
    "augmentation", "precision", "validation", "mean", "std", "hidden", "num_classes", "device",
]  # fmt: skip
WORDS = ["digits", "mnist", "cifar10", "mlp", "mnist_cnn", "resnet20", "softmax_regression", "kl", "at", "adam",
         "multistep", "crop", "job_0", "student", "cpu"]  # fmt: skip
leaves = (
    st.sampled_from(WORDS) | st.none() | st.booleans() | st.integers() | st.text(max_size=20)
    | st.floats() | st.integers(-(10**320), 10**320)
)  # fmt: skip
keys = st.sampled_from(KEYS) | st.text(max_size=8)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4), max_leaves=12
)
bodies = st.one_of(
    st.dictionaries(keys, values, max_size=8),
    st.dictionaries(keys, values, max_size=3).map(lambda changes: SPEC | changes),
    values,
)


@relaxed
@given(body=bodies, validate_only=st.booleans())
def test_any_json_gets_an_answer_below_500(client: httpx.Client, body: Any, validate_only: bool) -> None:
    answer = client.post(
        "/jobs",
        params={"validate_only": validate_only},
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert answer.status_code in {200, 201, 400, 422}


@relaxed
@given(body=st.binary(max_size=200))
def test_any_bytes_get_an_answer_below_500(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/jobs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {400, 422}


@relaxed
@given(name=st.sampled_from(["state", "page_size", "page_token", "created_after", "label.x", "name"]) | st.text(),
       value=st.text())  # fmt: skip
def test_any_query_gets_an_answer_below_500(client: httpx.Client, name: str, value: str) -> None:
    assert client.get("/jobs", params={name: value}).status_code in {200, 400}


PARAMETERS = ["after", "page_size", "tail", "format", "wait", "page_token"]
VALUES = st.sampled_from(["0", "1", "-1", "9" * 30, "json", "text", "nan", "1e999", "0.001"]) | st.text(max_size=5)


@relaxed
@given(
    below=st.sampled_from(["", "/logs", "/metrics", "/deliveries", "/artifacts", "/report"]),
    query=st.dictionaries(st.sampled_from(PARAMETERS), VALUES.filter(lambda value: value != "1"), max_size=3),
    accept=st.sampled_from(["*/*", "application/json", "text/plain", "text/csv", ",;q=", ""]),
)
def test_any_query_of_a_job_gets_an_answer_below_500(
    client: httpx.Client, ended: str, below: str, query: dict[str, str], accept: str
) -> None:
    answer = client.get(f"/jobs/{ended}{below}", params=query, headers={"Accept": accept})
    assert answer.status_code in {200, 400, 404}


@relaxed
@given(query=st.dictionaries(st.sampled_from(PARAMETERS), VALUES, max_size=2), last=st.binary(max_size=5))
def test_any_last_event_id_gets_an_answer_below_500(
    client: httpx.Client, ended: str, query: dict[str, str], last: bytes
) -> None:
    headers = {b"Last-Event-ID": bytes(byte for byte in last if byte >= 0x21 and byte != 0x7F)}
    assert client.get(f"/jobs/{ended}/events", params=query, headers=headers).status_code in {200, 204, 400}


@pytest.fixture(scope="module")
def ended(service: Service) -> str:
    """A job whose streams end."""
    return service.job_in(JobState.CANCELLED)


@relaxed
@given(job_id=st.binary(min_size=1, max_size=30), verb=st.sampled_from(["cancel", "pause", "resume", "retry"]))
def test_any_action_gets_an_answer_below_500(client: httpx.Client, job_id: bytes, verb: str) -> None:
    escaped = "".join(f"%{byte:02X}" for byte in job_id)
    assert client.post(f"/jobs/{escaped}/{verb}").status_code in {404, 405}


@relaxed
@given(path=st.binary(max_size=30), below=st.sampled_from(["", "/job_0/artifacts/"]))
def test_any_path_gets_an_answer_below_500(client: httpx.Client, path: bytes, below: str) -> None:
    escaped = "".join(f"%{byte:02X}" for byte in path)
    assert client.get(f"/jobs{below}/{escaped}").status_code < 500
