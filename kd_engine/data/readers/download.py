"""Fetching a publisher's file: mirrors in turn, streamed, bounded, checksummed, and there as a whole or not at all."""

from __future__ import annotations

import hashlib
import http.client
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from kd_engine.platform.heartbeat import sign
from kd_engine.platform.verified_files import atomic_write
from kd_engine.schema.errors import DataError

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
MAX_BYTES = 1 << 30  # the largest file fetched here is CIFAR-10's 170 MB; a mirror that sends more has something else


class _MirrorError(Exception):
    """This mirror does not have the file; the next one may."""


def fetch(urls: Sequence[str], target: Path, md5: str, timeout: float = 30.0) -> None:
    """Writes the file at the first of `urls` that gives it whole and with the right checksum to `target`.

    Args:
        urls: mirrors of one file, best first.
        target: replaced in one step; its folder is made.
        md5: of the file, in hex.
        timeout: seconds without a byte after which a mirror is given up.

    Raises:
        DataError: no mirror gave the file (names each and why), or its folder cannot be written to.
        DiskFullError: no room for it.
    """
    failures = []
    for url in urls:
        try:
            _fetch_one(url, target, md5, timeout)
        except _MirrorError as error:
            logger.warning("%s: %s", url, error)
            failures.append(f"{url}: {error}")
        else:
            logger.info("fetched %s from %s", target.name, url)
            return
    raise DataError(f"{target.name} could not be downloaded: {'; '.join(failures)}.")


def _fetch_one(url: str, target: Path, md5: str, timeout: float) -> None:
    try:
        with urllib.request.urlopen(url, timeout=timeout) as response, atomic_write(target) as file:
            _stream(response, file, md5)
    except urllib.error.HTTPError as error:
        error.close()
        raise _MirrorError(f"HTTP status {error.code} ({error.reason})") from error
    except urllib.error.URLError as error:
        raise _MirrorError(f"no answer ({error.reason})") from error
    except http.client.HTTPException as error:
        raise _MirrorError(f"not a proper HTTP answer ({error!r})") from error
    except OSError as error:
        raise _MirrorError(f"{error.strerror or error}") from error


def _stream(response: http.client.HTTPResponse, file: IO[bytes], md5: str) -> None:
    announced = response.headers.get("Content-Length")
    digest = hashlib.md5(usedforsecurity=False)
    received = 0
    while chunk := response.read(CHUNK_BYTES):
        sign("downloading a data set")
        received += len(chunk)
        if received > MAX_BYTES:
            raise _MirrorError(f"sent more than {MAX_BYTES:,} bytes")
        digest.update(chunk)
        file.write(chunk)
    # a connection that is cut ends the stream like a complete one
    if announced is not None and received != int(announced):
        raise _MirrorError(f"cut off after {received:,} of {int(announced):,} bytes")
    if digest.hexdigest() != md5:
        raise _MirrorError(f"wrong checksum: md5 {digest.hexdigest()}, expected {md5}")
