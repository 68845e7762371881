"""The log of requests: one line for each that changes something or fails, none for polls."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from tests.api.conftest import SPEC

ROOT = Path(__file__).parents[3]


def test_every_line_of_the_process_is_an_object_and_polls_leave_none(tmp_path: Path) -> None:
    about = {"KD_HOME": str(tmp_path), "KD_PORT": "0", "KD_BROKER_URL": "memory://", "KD_LOG_FORMAT": "json"}
    command = [sys.executable, "-m", "api"]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | about, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = []
            for line in iter(process.stderr.readline, ""):
                lines.append(json.loads(line))
                if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                    break
            assert found is not None
            with httpx.Client(base_url=found[0], timeout=30) as client:
                job_id = client.post("/jobs", json=SPEC).json()["id"]
                assert client.get(f"/jobs/{job_id}").status_code == 200
                assert client.post(f"/jobs/{job_id}/cancel").status_code == 200
                assert client.get("/jobs/job_0/report").status_code == 404
            process.send_signal(signal.SIGTERM)
            lines += [json.loads(line) for line in process.stderr]
            process.wait(timeout=30)
        finally:
            process.kill()
    assert {"uvicorn.error", "api.dependencies.context", "api.access"} <= {line["logger"] for line in lines}
    access = [line for line in lines if line["logger"] == "api.access"]
    assert [(line["method"], line["route"], line["status"]) for line in access] == [
        ("POST", "/jobs", 201), ("POST", "/jobs/{job_id}/cancel", 200), ("GET", "/jobs/{job_id}/report", 404),
    ]  # fmt: skip
    assert access[1]["job_id"] == job_id
    assert all(isinstance(line["seconds"], float) for line in access)
