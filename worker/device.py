"""What this machine trains on. Asked of a short child process, because the worker itself never imports torch.

    python -m worker.device

prints the number of GPUs that torch sees and the bytes of memory of the smallest.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

from jobs.settings import SettingsError
from kd_engine.machine import machine_memory
from worker.trainer_process import ROOT, trainer_environment

_PROBE_SECONDS = 120.0  # a cold disk reads torch for a while


@dataclass(frozen=True)
class Device:
    """
    Attributes:
        kind: what jobs may ask for.
        memory_bytes: of one GPU, or what this machine (or container) has for all its processes; None if unknown.
    """

    kind: Literal["cpu", "cuda"]
    memory_bytes: int | None


def find_device(asked: Literal["auto", "cpu", "cuda"]) -> Device:
    """The device of this machine's workers.

    Raises:
        SettingsError: a GPU is asked for, and there is none.
    """
    gpu_bytes = None if asked == "cpu" else _gpu_bytes()
    if gpu_bytes is not None:
        return Device("cuda", gpu_bytes)
    if asked == "cuda":
        raise SettingsError("KD_DEVICE is 'cuda', but torch sees no GPU here: check the driver, or use 'auto' or 'cpu'")
    return Device("cpu", machine_memory())


def _gpu_bytes() -> int | None:
    """Memory of the smallest GPU that a trainer would see; None where it would see none."""
    command = [sys.executable, "-m", "worker.device"]
    try:
        answer = subprocess.run(
            command, cwd=ROOT, env=trainer_environment(threads=1), capture_output=True, timeout=_PROBE_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise SettingsError("torch did not say within two minutes whether there is a GPU; set KD_DEVICE") from None
    if answer.returncode != 0:
        last = answer.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SettingsError(f"torch could not be asked for a GPU ({last}); is the 'engine' extra installed?")
    found: dict[str, int] = json.loads(answer.stdout.splitlines()[-1])
    return found["memory_bytes"] if found["gpus"] else None


def _main() -> None:
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    memory = [torch.cuda.get_device_properties(number).total_memory for number in range(gpus)]
    sys.stdout.write(json.dumps({"gpus": gpus, "memory_bytes": min(memory, default=0)}) + "\n")


if __name__ == "__main__":
    _main()
