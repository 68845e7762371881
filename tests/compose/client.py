"""What a user of the stack does over HTTP, and what must hold of every job in the end."""

from __future__ import annotations

import hashlib
import time
import uuid
from typing import Any

import httpx

from tests.compose.engine import Failed, Stack, until

DIGITS: dict[str, Any] = {
    "dataset": "digits",
    "teacher": {"model": "mnist_cnn", "params": {"channels": [4, 8], "hidden": 32}, "training": {"epochs": 2}},
    "student": {"model": "mlp", "params": {"hidden": [16]}},
    "training": {"epochs": 3, "batch_size": 256},
    "baseline": False,
    "export": [],
}
LONG: dict[str, Any] = DIGITS | {"student": "resnet20", "training": {"epochs": 40, "batch_size": 128}}
MNIST: dict[str, Any] = {
    "dataset": {"name": "mnist", "validation": 5000},
    "teacher": {"model": "mnist_cnn", "params": {"channels": [4, 8], "hidden": 32}, "training": {"epochs": 1}},
    "student": {"model": "softmax_regression"},
    "temperature": 2,
    "training": {"epochs": 2, "batch_size": 128, "optimizer": {"name": "adam", "lr": 0.001}},
    "export": ["onnx"],
}


class User:
    """Somebody with a key."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        headers = {"Authorization": f"Bearer {stack.key}", "Accept": "application/json, */*;q=0.5"}
        self._http = httpx.Client(base_url=stack.url, headers=headers, timeout=10, trust_env=False)

    def get(self, path: str) -> Any:
        """The JSON at `path`; raises Failed for anything but 200."""
        try:
            answer = self._http.get(path)
        except httpx.TransportError as error:
            raise Failed(f"GET {path}: {error}") from error
        if answer.status_code != 200:
            raise Failed(f"GET {path} was answered with {answer.status_code}: {answer.text}")
        return answer.json()

    def submit(self, spec: dict[str, Any], seconds: float = 90) -> str:
        """Posts a job as a careful client does: the same key again until there is an answer."""
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        deadline = time.monotonic() + seconds
        while True:
            try:
                answer = self._http.post("/jobs", json=spec, headers=headers)
            except httpx.TransportError as error:
                said = str(error)
            else:
                if answer.status_code == 201:
                    job_id: str = answer.json()["id"]
                    self._stack.accepted.append(job_id)
                    return job_id
                said = f"{answer.status_code} {answer.text}"
                if answer.status_code < 500:
                    raise Failed(f"POST /jobs was answered with {said}")
            if time.monotonic() > deadline:
                raise Failed(f"no answer to POST /jobs: {said}")
            time.sleep(0.3)

    def job(self, job_id: str) -> dict[str, Any]:
        found: dict[str, Any] = self.get(f"/jobs/{job_id}")
        return found

    def wait_epochs(self, job_id: str, epochs: int = 2, seconds: float = 120) -> None:
        """Until so many epochs of it are over."""
        until(lambda: len(self.get(f"/jobs/{job_id}/metrics")["metrics"]) >= epochs, seconds, f"{job_id} to move")

    def wait_succeeded(self, *job_ids: str, seconds: float = 240) -> None:
        """Until all have ended; raises Failed where one did not succeed."""
        until(lambda: all(self.job(one)["state"] in _ENDS for one in job_ids), seconds, f"{len(job_ids)} jobs to end")
        for job_id in job_ids:
            job = self.job(job_id)
            if job["state"] != "succeeded":
                raise Failed(f"{job_id} is {job['state']}: {job['reason']}: {job['detail']}")

    def workers_of(self, job_id: str) -> list[str]:
        """Who took the job, attempt after attempt."""
        return [event["data"]["worker"] for event in self._events(job_id) if event["type"] == "claimed"]

    def why_requeued(self, job_id: str) -> list[str]:
        """Why each attempt but the last one ended."""
        return [event["data"]["why"] for event in self._events(job_id) if event["type"] == "requeued"]

    def judge(self, job_id: str) -> None:
        """The job has ended once, every epoch counts once, and every file is what is listed; raises Failed."""
        events = self._events(job_id)
        kinds = [event["type"] for event in events]
        epochs = [tuple(event["data"][part] for part in ("phase", "repeat", "epoch")) for event in events
                  if event["type"] == "epoch_end"]  # fmt: skip
        if kinds.count("ended") != 1 or kinds.count("created") != 1:
            raise Failed(f"{job_id}: {kinds.count('created')} beginnings and {kinds.count('ended')} ends")
        if len(set(epochs)) != len(epochs) or len(epochs) != len(self.get(f"/jobs/{job_id}/metrics")["metrics"]):
            raise Failed(f"{job_id}: an epoch was counted twice, or not at all")
        if [event["seq"] for event in events] != list(range(1, len(events) + 1)):
            raise Failed(f"{job_id}: the numbers of its events have gaps")
        for artifact in self.get(f"/jobs/{job_id}/artifacts")["artifacts"]:
            if hashlib.sha256(self._http.get(artifact["href"]).content).hexdigest() != artifact["sha256"]:
                raise Failed(f"{job_id}: {artifact['name']} is not what is listed")

    def _events(self, job_id: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        while True:
            after = events[-1]["seq"] if events else 0
            page: list[dict[str, Any]] = self.get(f"/jobs/{job_id}/events?after={after}")["events"]
            if not page:
                return events
            events += page


_ENDS = {"succeeded", "failed", "cancelled"}
