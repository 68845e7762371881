"""What every teacher is to an objective."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from kd_engine.data.loader import Batch
from kd_engine.distributed.world import ALONE, World
from kd_engine.losses import Outputs
from kd_engine.schema.report import LogitCache


class Teacher(Protocol):
    """Answers the batches of a training; a context manager that lets go of what it holds for that.

    One teacher may be asked by the objectives of several students.
    """

    @property
    def stages(self) -> int:
        """How many feature maps its network has."""

    @property
    def filled(self) -> float:
        """The share of all answers that is kept already, 0 to 1."""

    def answers(self, batch: Batch) -> Outputs:
        """float32 logits `[B, K]` of the batch's images, and feature maps where it was made to give them; without
        gradients.
        """

    def flush(self) -> None:
        """Makes what was computed survive this process."""

    def stats(self, world: World = ALONE) -> LogitCache | None:
        """What the report says of kept answers; None where nothing is to be said. For all processes to call, which
        have flushed before."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...
