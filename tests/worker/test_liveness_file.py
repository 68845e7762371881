"""A worker says that it is alive, and somebody who knows only the file hears it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from worker.liveness_file import check, touch

ROOT = Path(__file__).resolve().parents[2]


def test_a_worker_that_touched_its_file_is_alive(tmp_path: Path) -> None:
    touch(tmp_path / "pulse", 10)

    assert check(tmp_path / "pulse") is None


def test_one_that_has_not_for_six_times_its_interval_is_not(tmp_path: Path) -> None:
    file = tmp_path / "pulse"
    touch(file, 10)
    then = time.time() - 61
    os.utime(file, (then, then))

    assert str(check(file)).endswith("61 s ago, and should every 10 s")


@pytest.mark.parametrize("content", [None, "", "soon"])
def test_one_that_never_did_is_not(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "pulse"
    if content is not None:
        file.write_text(content)

    assert check(file) == f"no worker has written {file} yet"


def test_the_command_ends_as_a_health_check_should(tmp_path: Path) -> None:
    file = tmp_path / "pulse"
    ask = [sys.executable, "-m", "worker.liveness_file"]
    env = {"KD_PULSE_FILE": str(file), "PYTHONPATH": str(ROOT)}

    before = subprocess.run(ask, env=env, capture_output=True, text=True, timeout=60)
    touch(file, 10)
    after = subprocess.run(ask, env=env, capture_output=True, text=True, timeout=60)

    assert (before.returncode, before.stderr) == (1, f"no worker has written {file} yet\n")
    assert (after.returncode, after.stderr) == (0, "")


def test_it_says_so_where_no_file_is_named() -> None:
    ask = [sys.executable, "-m", "worker.pulse"]  # what manifests of earlier versions call
    asked = subprocess.run(ask, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=60)

    assert asked.returncode == 1
    assert asked.stderr.startswith("KD_PULSE_FILE is not set")
