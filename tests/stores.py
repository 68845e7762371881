"""What tests ask of an artifact store, wherever it keeps its files."""

from __future__ import annotations

from pathlib import Path

import pytest

from jobs.artifacts import ArtifactStore
from jobs.artifacts.s3_client import connect
from jobs.settings import Settings

on_both_stores = pytest.mark.parametrize("store_settings", ["local", "s3"], indirect=True)
"""For a test: once with a folder, once with a bucket, in what makes its settings of `store_settings`."""


def content(store: ArtifactStore, key: str) -> bytes:
    return b"".join(store.read(key))


def exists(store: ArtifactStore, key: str) -> bool:
    try:
        store.size(key)
    except FileNotFoundError:
        return False
    return True


def damage(store: ArtifactStore, key: str, new: bytes = b"X") -> None:
    """Overwrites a stored file."""
    with store.writing(key) as file:
        file.write(new)


def everything(settings: Settings) -> list[str]:
    """The names of all that lies in the store, unfinished files in a folder and parts included."""
    if settings.artifacts_url is not None:
        return sorted(found["path"] for batch in connect(settings.artifacts_url).list() for found in batch)
    return files_in(settings.artifacts_dir)


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
