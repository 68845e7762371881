"""A client of the service's HTTP API that needs nothing but Python."""

from __future__ import annotations

import hashlib
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from distillery.errors import RequestFailed
from kd_engine.schema.report import TrainingReport

_SECONDS = 30.0
_CHUNK = 2**20


class Client:
    """Speaks to the service at `url`.

    Every method raises RequestFailed with the service's own words when it refuses, and when it does not answer.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        # A proxy that the environment names is not for this machine's own addresses.
        self._opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def create(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Sends a job; returns it as recorded."""
        return self._json("/jobs", json.dumps(spec).encode())

    def job(self, job_id: str) -> dict[str, Any]:
        return self._json(f"/jobs/{job_id}")

    def events(self, job_id: str, after: int) -> list[dict[str, Any]]:
        """The job's events with a number above `after`, in order."""
        events: list[dict[str, Any]] = self._json(f"/jobs/{job_id}/events?after={after}")["events"]
        return events

    def report(self, job_id: str) -> TrainingReport:
        with self._open(f"/jobs/{job_id}/report") as answer:
            return TrainingReport.read(answer.read())

    def download(self, job_id: str, name: str, target: Path) -> str:
        """Downloads an artifact to `target`, and returns its sha256, which was compared with the listed one.

        Raises:
            RequestFailed: the file is not listed, or is not what was listed; nothing is left at `target` then.
        """
        listed: dict[str, str] = {
            row["name"]: row["sha256"] for row in self._json(f"/jobs/{job_id}/artifacts")["artifacts"]
        }
        if name not in listed:
            raise RequestFailed(f"the job has no artifact '{name}'; it has: {', '.join(sorted(listed)) or 'none'}")
        partial = target.with_name(target.name + ".part")
        digest = hashlib.sha256()
        with self._open(f"/jobs/{job_id}/artifacts/{name}") as answer, partial.open("wb") as file:
            while chunk := answer.read(_CHUNK):
                digest.update(chunk)
                file.write(chunk)
        if digest.hexdigest() != listed[name]:
            partial.unlink()
            raise RequestFailed(f"{name} arrived with sha256 {digest.hexdigest()}; {listed[name]} was listed")
        partial.replace(target)
        return listed[name]

    def _json(self, path: str, body: bytes | None = None) -> dict[str, Any]:
        with self._open(path, body) as answer:
            found: dict[str, Any] = json.load(answer)
            return found

    def _open(self, path: str, body: bytes | None = None) -> Any:
        headers = {"Accept": "application/json, application/octet-stream;q=0.9", "Content-Type": "application/json"}
        request = urllib.request.Request(self._url + path, data=body, headers=headers)
        try:
            return self._opener.open(request, timeout=_SECONDS)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read().decode(errors="replace")
            raise RequestFailed(f"{request.get_method()} {path} was answered with {error.code}: {said}") from None
        except OSError as error:
            raise RequestFailed(f"{request.get_method()} {path} was not answered: {error}") from error
