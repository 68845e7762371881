from __future__ import annotations

from pathlib import Path

import pytest

from jobs.artifacts import ArtifactStore, open_store
from jobs.settings import Settings


@pytest.fixture(params=["local", "s3"])
def store_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """Of either kind, in turn."""
    return request.getfixturevalue("bucket") if request.param == "s3" else {}


@pytest.fixture
def settings(tmp_path: Path, store_settings: dict[str, str]) -> Settings:
    return Settings(home=tmp_path / "home", artifacts_dir=tmp_path / "store", **store_settings)


@pytest.fixture
def store(settings: Settings) -> ArtifactStore:
    """A folder and a bucket, in turn."""
    return open_store(settings)
