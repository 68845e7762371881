"""The environment variables of a trainer: where programs and devices are, and its share of the cores; no secrets."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# What a trainer may know of its supervisor's environment: how to find programs and devices. No secrets.
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONPATH", "VIRTUAL_ENV")
_PASSED_ON_PREFIXES = ("CUDA_", "NVIDIA_", "NCCL_")


def trainer_environment(threads: int) -> dict[str, str]:
    """What a trainer with so many threads runs in."""
    kept = {key: value for key, value in os.environ.items() if key in _PASSED_ON or key.startswith(_PASSED_ON_PREFIXES)}
    paths = [str(ROOT), *filter(None, [kept.get("PYTHONPATH")])]
    return kept | {
        "PYTHONPATH": os.pathsep.join(paths),
        "PYTHONUNBUFFERED": "1",
        "OMP_NUM_THREADS": str(threads),
        # Threads that wait for the next parallel region sleep. Spinning ones, the default, take the cores from whoever
        # has work: beside other busy processes a training step took six to eight times as long.
        "OMP_WAIT_POLICY": "PASSIVE",
        # glibc keeps freed memory instead of giving each large tensor back and faulting it in again, page by page; a
        # trainer gives all of it back when it ends. On 180x180 photographs that was half of a step's time.
        "MALLOC_MMAP_MAX_": "0",
        "MALLOC_TRIM_THRESHOLD_": str(2**40),
        "MALLOC_TOP_PAD_": str(2**28),
    }
