"""A teacher that answers from the store of its logits and computes only what is not there yet.

Exact: a logit is the same whether it was computed now, earlier in this job or by another job. Rows are computed in
batches of one fixed size, so that neither their place nor their company matters, and each is rounded to the storage's
type before its first use too.

Shapes: B images in the batch, K classes.
"""

from __future__ import annotations

import logging
from types import TracebackType
from typing import Self

import torch
from torch import Tensor

from kd_engine.data.loader import Batch
from kd_engine.distributed.world import ALONE, World
from kd_engine.losses import Outputs
from kd_engine.networks.network import Network
from kd_engine.schema.report import LogitCache
from kd_engine.teachers.store import LogitStore

log = logging.getLogger(__name__)
COMPUTE = 64  # rows at a time: resnet56 is within 10 % of its rate at 128, see docs/performance.md
_CHECK_EVERY = 200  # batches; one check costs as much as six steps of a linear student
_TOLERANCE = 0.05  # of the largest logit: far above rounding, far below another teacher's difference


class CachedTeacher:
    """Answers batches whose images have numbered views (`batch.view_B`).

    Args:
        teacher: computes what is missing; frozen.
        stages: of the teacher's network; it gives no feature maps.
    """

    def __init__(self, teacher: Network, store: LogitStore, stages: int = 0) -> None:
        self._teacher, self._store, self.stages = teacher, store, stages
        self._asked = self._found = self._batches = 0

    def answers(self, batch: Batch) -> Outputs:
        """float32 logits `[B, K]`, on the images' device."""
        return Outputs(self._logits(batch))

    @property
    def filled(self) -> float:
        """The share of all rows that is there."""
        return self._store.share

    def flush(self) -> None:
        """Makes what was computed survive this process."""
        self._store.flush()

    def stats(self, world: World = ALONE) -> LogitCache:
        """What the report says of the cache: rows asked for, the share that was there, rows kept now.

        Of all processes of `world`, which have flushed before.
        """
        states = world.gather(torch.tensor([self._asked, self._found]))  # all are here, so all of them have flushed
        asked, found = torch.stack(states).sum(dim=0).tolist()
        if world.size > 1:
            self._store.flush()
        rate = found / asked if asked else 0.0
        return LogitCache(
            asked=asked,
            hit_rate=rate,
            rows=self._store.filled,
            views=self._store.views,
            storage=str(self._store.dtype).removeprefix("torch."),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...

    def _logits(self, batch: Batch) -> Tensor:
        assert batch.view_B is not None, "only finite augmentations can be cached"
        rows_B = (batch.index_B * self._store.views + batch.view_B).cpu()
        missing = self._store.missing(rows_B)
        self._asked += len(rows_B)
        self._found += len(rows_B) - len(missing)
        if len(missing) < len(rows_B) and self._batches % _CHECK_EVERY == 0:
            missing = self._check(batch, rows_B, missing)
        self._batches += 1
        if len(missing) > 0:
            fresh = self._compute(batch.images_BCHW[missing])
            if not self._store.holds(fresh):  # a teacher that was hardly trained, or has diverged
                return self._compute(batch.images_BCHW)
            self._store.put(rows_B[missing], fresh)
        return self._store.get(rows_B).to(batch.images_BCHW.device)

    def _check(self, batch: Batch, rows_B: Tensor, missing: Tensor) -> Tensor:
        """Computes some of the rows that are there again; if they differ, nothing in the store can be trusted."""
        there = torch.ones(len(rows_B), dtype=torch.bool)
        there[missing] = False
        sample = there.nonzero().squeeze(1)[:COMPUTE]
        kept, fresh = self._store.get(rows_B[sample]), self._compute(batch.images_BCHW[sample]).cpu()
        if float((kept - fresh).abs().max()) <= _TOLERANCE * max(1.0, float(fresh.abs().max())):
            return missing
        log.warning("the cached logits are not this teacher's: they are dropped and computed again")
        self._store.forget()
        return torch.arange(len(rows_B))

    @torch.no_grad()
    def _compute(self, images_BCHW: Tensor) -> Tensor:
        count = len(images_BCHW)
        short = -count % COMPUTE
        if short:
            filler = images_BCHW[:1].expand(short, *images_BCHW.shape[1:])
            images_BCHW = torch.cat([images_BCHW, filler])
        parts = [self._teacher.logits(part) for part in torch.split(images_BCHW, COMPUTE)]
        return torch.cat(parts)[:count]
