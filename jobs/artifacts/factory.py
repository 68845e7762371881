"""The artifact store that the settings ask for, the one place that chooses."""

from __future__ import annotations

from jobs.artifacts.base import ArtifactStore
from jobs.artifacts.local import LocalStore
from jobs.settings import Settings


def open_store(settings: Settings) -> ArtifactStore:
    """A bucket where KD_ARTIFACTS_URL names one, a folder otherwise.

    Raises:
        jobs.settings.SettingsError: the bucket cannot be used; the message says why, and what to try.
    """
    if settings.artifacts_url is None:
        return LocalStore(settings.artifacts_dir)
    # only who uses it loads the client of object stores
    from jobs.artifacts.s3 import S3Store

    return S3Store(settings.artifacts_url)
