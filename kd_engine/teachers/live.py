"""A teacher that computes its answers for each batch. Shapes: B images in the batch."""

from __future__ import annotations

from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from kd_engine.data.loader import Batch
from kd_engine.distributed.world import ALONE, World
from kd_engine.losses import Outputs
from kd_engine.networks.compile import Compiler
from kd_engine.schema.report import LogitCache
from kd_engine.teachers.network import TeacherNetwork


class LiveTeacher:
    """Asks the folded network.

    Args:
        features: also give feature maps.
        compiler: makes it faster, for batches of as many images as `like_BCHW`.
        off: why its logits are not kept, where that is to be reported.
    """

    def __init__(
        self,
        teacher: TeacherNetwork,
        *,
        features: bool = False,
        compiler: Compiler | None = None,
        like_BCHW: Tensor | None = None,
        off: str | None = None,
    ) -> None:
        self._network, self._off = teacher.folded, off
        self.stages = teacher.network.stages
        self._tap = self._network.tap() if features else None
        if compiler is not None and like_BCHW is not None:
            self._network = compiler.compiled(self._network, like_BCHW, self._tap)

    @property
    def filled(self) -> float:
        return 0.0

    @torch.no_grad()
    def answers(self, batch: Batch) -> Outputs:
        return self._network.outputs(batch.images_BCHW, self._tap)

    def flush(self) -> None:
        """Nothing is kept."""

    def stats(self, world: World = ALONE) -> LogitCache | None:
        return None if self._off is None else LogitCache(off=self._off)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._tap is not None:
            self._tap.__exit__(kind, error, at)
