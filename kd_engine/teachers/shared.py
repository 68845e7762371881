"""A teacher of several students that see the same batches: it is asked once a batch."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from kd_engine.data.loader import Batch
from kd_engine.distributed.world import ALONE, World
from kd_engine.losses import Outputs
from kd_engine.schema.report import LogitCache
from kd_engine.teachers.base import Teacher


class SharedTeacher:
    """Keeps the answers to the last batch."""

    def __init__(self, teacher: Teacher) -> None:
        self._teacher = teacher
        self._last: tuple[Batch, Outputs] | None = None

    @property
    def stages(self) -> int:
        return self._teacher.stages

    @property
    def filled(self) -> float:
        return self._teacher.filled

    def answers(self, batch: Batch) -> Outputs:
        if self._last is None or self._last[0] is not batch:
            self._last = batch, self._teacher.answers(batch)
        return self._last[1]

    def flush(self) -> None:
        self._teacher.flush()

    def stats(self, world: World = ALONE) -> LogitCache | None:
        return self._teacher.stats(world)

    def __enter__(self) -> Self:
        self._teacher.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._last = None
        self._teacher.__exit__(kind, error, at)
