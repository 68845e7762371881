"""Watches what a trainer's processes hold, and says of an attempt that failed for it that memory was the reason."""

from __future__ import annotations

import logging
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from jobs.settings import Settings
from kd_engine.jobspec import KINDS
from kd_engine.platform.cgroups import MemoryGroup, memory_groups
from kd_engine.schema.errors import EngineError, OutOfMemoryError, ProcessLost
from kd_engine.schema.events import Event, Finished
from worker.attempt.activity import Doing
from worker.attempt.process_group import memory_of, use_of
from worker.attempt.trainer_group import TrainerGroup, delegated
from worker.attempt.trainer_process import LOG_FILE, TrainerProcess
from worker.device import DeviceKind
from worker.memory_limit import MOST_TASKS, restrict, trainer_memory

log = logging.getLogger(__name__)
_LOOK_SECONDS = 0.5
# What native code says before it ends the process, where Python cannot make an exception of it.
_LAST_WORDS = (
    b"std::bad_alloc",
    b"Cannot allocate memory",
    b"can't allocate memory",
    b"MemoryError",
    b"failed to map segment",
)
_SAID_BYTES = 4096


class TrainerWatch:
    """Looks at a trainer from a thread of its own, so that nothing keeps it; a context manager.

    Args:
        folder: of the attempt.
    """

    def __init__(self, trainer: TrainerProcess, folder: Path, settings: Settings, device: DeviceKind) -> None:
        self._trainer, self._log, self._doing = trainer, folder / LOG_FILE, Doing()
        self._limit = trainer_memory(settings)
        self._held = 0
        self._breach: str | None = None
        self._reason = OutOfMemoryError.code
        self._over = threading.Event()
        self._group = self._own_group()
        by_kernel = self._limit if self._group is None and device == "cpu" else None
        restrict(trainer.pid, by_kernel, settings.trainer_threads)
        self._groups = [self._group.counts] if self._group is not None else memory_groups()
        self._kills = [group.kills() for group in self._groups]
        self._thread = threading.Thread(target=self._look, name="memory", daemon=True)

    def heard(self, event: Event) -> None:
        """One more event of the trainer."""
        self._doing.heard(event)

    def verdict(self, finished: Finished | None) -> Finished | None:
        """How the attempt ended, given the last event of the trainer, which is gone; None if it could write none."""
        why = self._killed_for_memory(finished)
        if self._group is not None:
            self._group.close()
        if finished is not None and finished.reason == OutOfMemoryError.code:
            return finished.model_copy(update={"detail": f"{finished.detail} {self._circumstances()}"})
        if finished is not None and finished.reason != ProcessLost.code:
            return finished
        if self._breach is not None:
            return Finished(reason=self._reason, detail=self._breach)
        if why is not None:
            return Finished(reason=OutOfMemoryError.code, detail=f"{why} {self._circumstances()} {self._advice()}")
        return finished

    def _own_group(self) -> TrainerGroup | None:
        parent = None if self._limit is None else delegated()
        if parent is None or self._limit is None:
            return None
        try:
            return TrainerGroup(parent, self._trainer.pid, self._limit, MOST_TASKS)
        except OSError as error:
            log.warning("no control group for the trainer in %s (%s); it is watched all the same", parent, error)
            return None

    def _look(self) -> None:
        while not self._over.wait(_LOOK_SECONDS):
            self._breach = self._found()
            if self._breach is not None:
                log.warning("trainer %d is ended: %s", self._trainer.pid, self._breach)
                self._trainer.kill()
                return

    def _found(self) -> str | None:
        """What is over its limit, in words."""
        use = use_of(self._trainer.pid)
        memory = use.memory
        if self._limit is not None and memory > self._limit:
            memory = memory_of(use)
        self._held = max(self._held, memory)
        if self._limit is not None and memory > self._limit:
            return (
                f"the trainer held {_size(memory)} of memory while it was {self._doing.words}; it may hold "
                f"{_size(self._limit)} (KD_TRAINER_MEMORY). {self._advice()}"
            )
        if use.tasks > MOST_TASKS:
            self._reason = EngineError.code
            return (
                f"the trainer had {use.tasks:,} threads in {len(use.processes):,} processes while it was "
                f"{self._doing.words}; at most {MOST_TASKS:,} are allowed. Lower KD_THREADS."
            )
        return None

    def _killed_for_memory(self, lost: Finished | None) -> str | None:
        """Why the trainer, or one of its processes, ended without saying why, if that was for memory."""
        killed = lost is not None or self._trainer.killed_by_others
        if killed and any(map(_rose, self._kills, self._groups)):
            whose = "its limit" if self._group is not None else "the limit of the worker's container or service"
            return f"the kernel killed the trainer for its memory, at {whose}."
        if self._trainer.crashed and any(words in self._said() for words in _LAST_WORDS):
            return f"the trainer {self._trainer.outcome} when it got no more memory."
        return None

    def _said(self) -> bytes:
        """The end of what the trainer wrote."""
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _SAID_BYTES))
                return file.read()
        except OSError:
            return b""

    def _circumstances(self) -> str:
        limit = "any amount" if self._limit is None else _size(self._limit)
        return (
            f"It was {self._doing.words}, had held up to {_size(self._held)} of memory, and may "
            f"hold {limit} (KD_TRAINER_MEMORY)."
        )

    def _advice(self) -> str:
        kind = KINDS.get(self._doing.phase or "")
        if kind is not None and kind.brings_upload:
            return "Send less: smaller or fewer files, a smaller network; or have KD_TRAINER_MEMORY raised."
        return "Try a smaller batch_size, network or data set; or have KD_TRAINER_MEMORY raised."

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()


def _rose(before: tuple[int, ...], group: MemoryGroup) -> bool:
    return all(now > then for now, then in zip(group.kills(), before, strict=True))


def _size(count: int) -> str:
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.0f} MiB"
