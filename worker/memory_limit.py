"""How much a trainer may hold, and what the kernel is told of it.

The limit is on memory that nobody can take back (`attempt/process_group.py`), looked at twice a second
(`attempt/trainer_watch.py`). What is quicker than that the kernel stops: in a control group where this worker may make
one, otherwise by RLIMIT_DATA. That one counts what is mapped for writing, touched or not, so it lies above the limit by
what a trainer maps and never touches. It is not used with CUDA, which maps far more than it ever holds. RLIMIT_AS never
is: it also counts files.
"""

from __future__ import annotations

import logging
import resource
from contextlib import suppress
from pathlib import Path

from jobs.settings import Settings
from kd_engine.platform.memory_limit import machine_memory

log = logging.getLogger(__name__)
_MIB = 2**20
# What a trainer of one thread maps and never touches: the data of libraries, and the 256 MiB by which its heap grows at
# a time (MALLOC_TOP_PAD_). Measured: 400 MiB.
_UNTOUCHED = 1024 * _MIB
# What each thread maps: its stack, and a heap of its own, which that padding makes as large as one may be.
_UNTOUCHED_OF_A_THREAD = (8 + 64) * _MIB
# torch's, those that decode pictures, onnxruntime's and Arrow's: so many for each that computes, and a few for all.
_POOLS, _FIXED_THREADS = 4, 8
MOST_TASKS = 3072
"""Processes and threads of a trainer. One on 64 cores starts some 300."""
_MOST_FILES = 4096
_TAKE_ME_FIRST = "1000"


def trainer_memory(settings: Settings) -> int | None:
    """Bytes that one trainer may hold; None where nothing is known of the machine.

    Left to itself: the machine's or the container's memory without a sixteenth, or without 512 MiB and 128 for each
    worker if that is more (but a quarter at most), in equal shares.
    """
    if settings.trainer_memory is not None:
        return int(settings.trainer_memory)
    memory = machine_memory()
    if memory is None:
        return None
    service = max((512 + 128 * settings.workers) * _MIB, memory // 16)
    return (memory - min(service, memory // 4)) // settings.workers


def restrict(pid: int, memory: int | None, threads: int) -> None:
    """Has the kernel hold a trainer that was just started, and whom it starts, to limits.

    Args:
        memory: what it may hold, where the kernel is to mind that for this one by RLIMIT_DATA.
        threads: that it computes with.
    """
    if not hasattr(resource, "prlimit"):
        return  # not Linux
    # gone already, or a sandbox that forbids it: the watch remains
    with suppress(OSError):
        _, hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(_MOST_FILES, hard)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (most, most))
        if memory is not None:
            _, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            mapped = memory + _headroom(threads)
            most = mapped if hard == resource.RLIM_INFINITY else min(mapped, hard)
            # the trainer may raise the soft one, for files that it maps (kd_engine/platform/memory_map.py)
            resource.prlimit(pid, resource.RLIMIT_DATA, (most, hard))
    with suppress(OSError):
        # when memory runs out all the same, the kernel takes the trainer, and not the database beside it
        Path(f"/proc/{pid}/oom_score_adj").write_text(_TAKE_ME_FIRST)


def _headroom(threads: int) -> int:
    return _UNTOUCHED + (_POOLS * threads + _FIXED_THREADS) * _UNTOUCHED_OF_A_THREAD


def tell_limit(settings: Settings) -> None:
    """Tells in the log what a trainer may hold, and warns where all of them together have less."""
    limit, memory = trainer_memory(settings), machine_memory()
    if limit is None or memory is None:
        log.warning("the memory of trainers is not limited: this system does not tell how much there is")
        return
    log.info("a trainer may hold %.1f GiB of memory", limit / 2**30)
    if limit * settings.workers > memory:
        log.warning(
            "KD_TRAINER_MEMORY is %.1f GiB for each of KD_WORKERS=%d, and this machine or container has %.1f GiB in "
            "all: when they need it at once, the kernel kills one",
            limit / 2**30, settings.workers, memory / 2**30,
        )  # fmt: skip
