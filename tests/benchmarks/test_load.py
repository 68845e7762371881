from __future__ import annotations

import pytest

from benchmarks.load import Answered, Load, get, post, send
from benchmarks.server import EMPTY
from benchmarks.service import Service
from jobs.repository import JobFilter

pytestmark = pytest.mark.service


@pytest.mark.parametrize(("requests", "clients"), [(1, 1), (7, 3), (2, 16)])
def test_every_request_is_answered_once(requests: int, clients: int, quiet: Service) -> None:
    answered = send(Load(quiet.port, get(EMPTY), requests, clients))

    assert len(answered.latencies) == requests
    assert answered.latencies == sorted(answered.latencies)


def test_a_body_arrives(quiet: Service) -> None:
    spec = {"dataset": "digits", "teacher": "mlp", "student": "softmax_regression", "name": "ü"}
    send(Load(quiet.port, post("/jobs", spec), requests=3, clients=2, status=201))

    with quiet.database.read() as repository:
        assert len(repository.list_jobs(JobFilter(name="ü"), before=None, limit=10)) == 3


def test_another_status_than_expected_fails(quiet: Service) -> None:
    with pytest.raises(RuntimeError, match="404"):
        send(Load(quiet.port, get("/nothing"), requests=1, clients=1))


def test_a_server_that_is_not_there_fails() -> None:
    with pytest.raises(RuntimeError, match="refused"):
        send(Load(port=1, request=get("/"), requests=1))


def test_percentiles() -> None:
    answered = Answered(seconds=2.0, latencies=[number / 100 for number in range(100)])

    assert answered.per_second == 50
    assert answered.percentile(50) == 0.5
    assert answered.percentile(99) == 0.99
    assert answered.percentile(100) == 0.99
