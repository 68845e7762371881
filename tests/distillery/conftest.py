"""The client against a real API; what a worker does to a job, tests do by hand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from distillery import Distillery
from jobs.settings import Settings
from tests.api.conftest import Service, serving

SPEC = {"dataset": "digits", "teacher": "mlp", "student": "softmax_regression", "temperature": 5}


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One API for all tests: each makes the jobs that it looks at. Pages are short."""
    settings = Settings(home=tmp_path_factory.mktemp("home"), broker_url="memory://", page_size_max=3)
    with serving(settings) as running:
        yield running


@pytest.fixture
def url(service: Service) -> str:
    return f"http://127.0.0.1:{service.port}"


@pytest.fixture
def distillery(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Distillery]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with Distillery(url, patience=30) as client:
        yield client
