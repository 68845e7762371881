"""What this machine trains on. Asked of a short child process, because the worker itself never imports torch."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Literal

from jobs.settings import SettingsError
from worker.trainer_environment import ROOT, trainer_environment

DeviceKind = Literal["cpu", "cuda"]
"""What jobs may ask for."""

_PROBE_SECONDS = 120.0  # a cold disk reads torch for a while
_PROBE = "import torch; print(torch.cuda.is_available())"
# Every driver of a GPU that torch's `cuda` stands for makes one of these: NVIDIA's, that of its Jetson boards, that of
# Windows' Linux, and AMD's. Without any, torch need not be asked, which takes more than a second.
_DRIVERS = ("nvidia*", "nvmap", "dxg", "kfd")
_DEV = Path("/dev")


def find_device(asked: Literal["auto", "cpu", "cuda"]) -> DeviceKind:
    """The device of this machine's workers.

    Raises:
        SettingsError: a GPU is asked for, and there is none.
    """
    if asked != "cpu" and _has_driver() and _torch_sees_a_gpu():
        return "cuda"
    if asked == "cuda":
        raise SettingsError("KD_DEVICE is 'cuda', but torch sees no GPU here: check the driver, or use 'auto' or 'cpu'")
    return "cpu"


def _has_driver() -> bool:
    return any(next(_DEV.glob(name), None) is not None for name in _DRIVERS)


def _torch_sees_a_gpu() -> bool:
    command = [sys.executable, "-c", _PROBE]
    try:
        answer = subprocess.run(
            command, cwd=ROOT, env=trainer_environment(threads=1), capture_output=True, timeout=_PROBE_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise SettingsError("torch did not say within two minutes whether there is a GPU; set KD_DEVICE") from None
    if answer.returncode != 0:
        last = answer.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise SettingsError(f"torch could not be asked for a GPU ({last}); is the 'engine' extra installed?")
    return answer.stdout.strip().endswith(b"True")
