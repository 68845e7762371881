"""The connection to S3-compatible storage: from the AWS_* variables, tried out at the start, errors in our words."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from urllib.parse import urlsplit

from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError, UnauthenticatedError
from obstore.store import S3Store as Bucket

from jobs.artifacts.base import no_file
from jobs.errors import StoreUnavailable
from jobs.settings import SettingsError
from kd_engine.schema.errors import DiskFullError

CHECKS = ".check"  # what is written to find out whether the bucket can be used; no key leads there
_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
_REQUEST_SECONDS = 30.0  # for 16 MiB at most, the largest that one request carries
_CONNECT_SECONDS = 5.0
_RETRIES = 3
_RETRY_SECONDS = 10.0  # whoever waits for longer is told, and tries again by itself
_PING_SECONDS = 3.0
_MACHINES_OWN = re.compile(r"169\.254\.|/latest/(api/token|meta-data)")  # credentials of a machine in a cloud
_FULL = re.compile(r"status code: 507|StorageFull|QuotaExceeded")
_MOST_CHARACTERS = 300


def connect(url: str, *, patient: bool = True) -> Bucket:
    """The bucket of `s3://BUCKET/PREFIX`; nothing is sent yet.

    Args:
        patient: whether requests are repeated, and given their time.

    Raises:
        jobs.settings.SettingsError: the server's address is none.
    """
    _forget_empty_variables()
    endpoint = _endpoint()
    if endpoint is not None and (urlsplit(endpoint).scheme not in ("http", "https") or not urlsplit(endpoint).hostname):
        # the client would panic
        raise SettingsError(f"AWS_ENDPOINT_URL is {endpoint!r}: expected a URL as http://HOST:PORT or https://HOST")
    where = urlsplit(url)
    seconds = _REQUEST_SECONDS if patient else _PING_SECONDS
    return Bucket(
        where.netloc,
        prefix=where.path.strip("/") or None,
        # whether a private server without TLS will do is decided by who writes http:// into its address
        client_options={
            "allow_http": True,
            "timeout": timedelta(seconds=seconds),
            "connect_timeout": timedelta(seconds=min(seconds, _CONNECT_SECONDS)),
        },
        retry_config={
            "max_retries": _RETRIES if patient else 0,
            "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
        },
    )


def try_out(bucket: Bucket, url: str) -> None:
    """Writes a small object, once and not twice, and removes it.

    Raises:
        jobs.settings.SettingsError: the bucket cannot be used; the message says why, and what to try.
    """
    path, place = f"{CHECKS}/{secrets.token_hex(8)}", f"KD_ARTIFACTS_URL: {url} at {_endpoint() or 'AWS'}"
    try:
        if (_create(bucket, path), _create(bucket, path)) != (True, False):
            raise SettingsError(
                f"{place} overwrites what it is asked to keep (PUT with 'If-None-Match: *'): files in parts would be "
                "damaged; use a server that knows conditional writes"
            )
        bucket.delete(path)
    except (BaseError, OSError) as error:
        raise SettingsError(f"{place} {_why(error)}") from error


def create(bucket: Bucket, path: str, content: bytes) -> bool:
    """Makes an object; whether it did, for one that is there already stays.

    Raises:
        DiskFullError, StoreUnavailable: as `storing`.
    """
    with storing():
        return _create(bucket, path, content)


@contextmanager
def asking(key: str) -> Iterator[None]:
    """Around what asks for a file.

    Raises:
        FileNotFoundError: there is none.
        StoreUnavailable: the store is away.
    """
    try:
        yield
    except FileNotFoundError:
        raise no_file(key) from None
    except BaseError as error:
        raise StoreUnavailable(reason(error)) from error


@contextmanager
def storing() -> Iterator[None]:
    """Around what changes the store; a bucket that is not there is no missing file then.

    Raises:
        DiskFullError: the store has no room.
        StoreUnavailable: the store is away.
    """
    try:
        yield
    except (BaseError, OSError) as error:  # the client's writer raises the latter
        if _FULL.search(str(error)):
            raise DiskFullError("no room in the artifact store: free some space and run the job again") from error
        raise StoreUnavailable(reason(error)) from error


def reason(error: Exception) -> str:
    """The client's error as one short line."""
    text = " ".join(str(error).partition("\n\nDebug source")[0].split())
    return text if len(text) <= _MOST_CHARACTERS else text[:_MOST_CHARACTERS] + "..."


def _create(bucket: Bucket, path: str, content: bytes = b"") -> bool:
    try:
        bucket.put(path, content, mode="create", use_multipart=False)
    except AlreadyExistsError:
        return False
    return True


def _why(error: Exception) -> str:
    text = str(error)
    if _MACHINES_OWN.search(text):
        return (
            "cannot be used without credentials: set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (this machine has no "
            "role of its own either)"
        )
    if isinstance(error, FileNotFoundError):
        return "is not there: make the bucket, or correct its name"
    if isinstance(error, PermissionDeniedError | UnauthenticatedError):
        return (
            "refuses these credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, and that they may read, "
            f"write, list and delete there ({reason(error)})"
        )
    if "region" in text.lower():
        return f"lies in another region: set AWS_REGION ({reason(error)})"
    return f"cannot be used: check AWS_ENDPOINT_URL, and that the server runs ({reason(error)})"


def _endpoint() -> str | None:
    return next((os.environ[name] for name in _ENDPOINTS if name in os.environ), None)


def _forget_empty_variables() -> None:
    """An empty variable counts as left out, as everywhere here; the client would take it at its word, and panic."""
    for name in [name for name, value in os.environ.items() if name.startswith("AWS_") and not value]:
        del os.environ[name]
