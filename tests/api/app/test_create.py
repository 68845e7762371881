from __future__ import annotations

import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.s3 import S3Server, variables

ROOT = Path(__file__).parents[3]


def test_importing_the_api_brings_neither_torch_nor_a_worker() -> None:
    program = (
        "import sys, api.app.create; "
        "unwanted = ('torch', 'numpy', 'sklearn', 'celery.worker', 'worker', 'obstore'); "
        "print(*[name for name in unwanted if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.split() == []


def test_python_m_api_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    environment = os.environ | {"KD_HOME": str(tmp_path), "KD_PORT": "0", "KD_BROKER_URL": "memory://"}
    command = ["sh", "-c", 'ulimit -Sn 256; exec "$0" -m api', sys.executable]
    with subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            lines = iter(process.stderr.readline, "")
            url = next(found[0] for line in lines if (found := re.search(r"http://127\.0\.0\.1:\d+", line)))
            assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200
            soft, hard = resource.prlimit(process.pid, resource.RLIMIT_NOFILE)
            assert soft == (hard if 0 < hard < 2**16 else 2**16), "as many open files as the system allows"
            process.send_signal(signal.SIGTERM)
            process.stderr.read()
            assert process.wait(timeout=30) in {0, -signal.SIGTERM}
        finally:
            process.kill()


def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    environment = os.environ | {"KD_HOME": str(tmp_path), "KD_PORT": "many"}
    run = subprocess.run(
        [sys.executable, "-m", "api"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert "KD_PORT" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.parametrize("program", ["api", "worker"])
def test_a_bucket_that_is_not_there_is_named(tmp_path: Path, s3_server: S3Server, program: str) -> None:
    settings = {"KD_HOME": str(tmp_path), "KD_PORT": "0", "KD_DEVICE": "cpu", "KD_ARTIFACTS_URL": "s3://nobodys"}
    environment = os.environ | settings | variables(s3_server.url)
    run = subprocess.run(
        [sys.executable, "-m", program], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 2
    assert run.stderr.startswith("cannot start: KD_ARTIFACTS_URL: s3://nobodys at")
    assert "Traceback" not in run.stderr
