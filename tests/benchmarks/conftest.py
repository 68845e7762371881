from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks.service import Service, running


@pytest.fixture(scope="session")
def quiet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that trains nothing."""
    with running(worker=False, parent=tmp_path_factory.mktemp("quiet")) as service:
        yield service


@pytest.fixture(scope="session")
def working(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service with a worker."""
    with running(worker=True, parent=tmp_path_factory.mktemp("working")) as service:
        yield service
