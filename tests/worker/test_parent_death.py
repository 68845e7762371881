"""A trainer that is stopped can read no lifeline: it goes with its supervisor all the same."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from kd_engine.runs.request import REQUEST_FILE
from tests.standalone.helpers import ROOT

_SUPERVISOR = """
import sys, time
from pathlib import Path
from worker.attempt.trainer_process import TrainerProcess
print(TrainerProcess(Path(sys.argv[1]), 1).pid, flush=True)
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own way, which other systems do not have")
def test_a_stopped_trainer_dies_with_its_killed_supervisor(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / REQUEST_FILE)  # the trainer waits for its request, for ever
    supervisor = subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, str(tmp_path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert supervisor.stdout is not None
    trainer = psutil.Process(int(supervisor.stdout.readline()))
    try:
        while trainer.num_threads() < 2:  # until it listens to its lifeline
            assert trainer.is_running()
        trainer.suspend()
        supervisor.kill()
        supervisor.wait()
        gone, _ = psutil.wait_procs([trainer], timeout=30)
        assert gone
    finally:
        supervisor.kill()
        supervisor.stdout.close()
        if trainer.is_running():
            os.kill(trainer.pid, signal.SIGKILL)
