"""Runs a benchmark in a process of its own, with the environment that a worker gives a trainer: waiting threads sleep,
freed memory is kept. All contestants of a benchmark share that process, and so the environment.
"""

from __future__ import annotations

import os
import subprocess
import sys

from worker.trainer_environment import trainer_environment


def cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0))


def run_as_trainer(module: str, *arguments: str) -> None:
    """`python -m MODULE ARGUMENTS`, with as many threads as there are cores.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    subprocess.run([sys.executable, "-m", module, *arguments], env=trainer_environment(cores()), check=True)
