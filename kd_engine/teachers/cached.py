"""A teacher that answers from the store of its logits and computes only what is not there yet.

Exact: a logit is the same whether it was computed now, earlier in this job or by another job. Rows are computed in
batches of one fixed size, so that neither their place nor their company matters, and each is rounded to the storage's
type before its first use too.

Shapes: B images in the batch, K classes.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kd_engine.data.dataset import Dataset
from kd_engine.data.loader import Batch
from kd_engine.distributed.world import ALONE, World
from kd_engine.images.augmentations import count_views
from kd_engine.jobspec import JobSpec, canonical_hash
from kd_engine.networks.compile import Compiler
from kd_engine.networks.network import Network
from kd_engine.schema.report import LogitCache
from kd_engine.teachers.store import LogitStore

log = logging.getLogger(__name__)
_COMPUTE = 64  # rows at a time: resnet56 is within 10 % of its rate at 128, see docs/performance.md
_MOST_BYTES = 4 * 2**30  # all views of CIFAR-100 take 1.6 GB in float16
_CHECK_EVERY = 200  # batches; one check costs as much as six steps of a linear student
_TOLERANCE = 0.05  # of the largest logit: far above rounding, far below another teacher's difference
BATCH_DEPENDENT = "what the teacher says of an image depends on its batch, so its logits are not kept"


def kept_views(spec: JobSpec, data: Dataset) -> int | None:
    """How many views of each image a teacher's logits are kept of; None where the spec or the method rules it out.

    Args:
        spec: resolved.
    """
    recipe, asked = spec.training, spec.teacher_cache
    views = recipe.fixed_views or count_views(recipe.augmentation, data.shape)
    plain = not any(loss.uses_features for loss in spec.objective()[0])
    if asked == "off" or views is None or not plain:
        return None
    too_much = len(data.train) * views * len(data.classes) * 2 > _MOST_BYTES
    return None if asked == "auto" and (data.train.images_NCHW.device.type != "cpu" or too_much) else views


def cache_for(
    spec: JobSpec, data: Dataset, teacher: Network, folder: Path, compiler: Compiler | None = None, seed: int = 0
) -> CachedTeacher | None:
    """The teacher behind a store of its logits for the train split; None where the spec or the method rules it out, or
    where a logit depends on the batch that it is computed in.

    Args:
        spec: resolved.
        folder: shared by all jobs.
        compiler: makes what computes the missing logits faster.
        seed: the student's, on which the views depend where they are fixed.
    """
    recipe, asked = spec.training, spec.teacher_cache
    if (views := kept_views(spec, data)) is None or teacher.batch_dependent:
        return None
    storage = "float16" if asked == "auto" else asked
    samples, classes = len(data.train), len(data.classes)
    device = data.train.images_NCHW.device
    identity: dict[str, Any] = {
        "teacher": teacher.weights_sha256(),
        "model": teacher.architecture.to_json(),
        "precision": str(teacher.dtype),
        "device": device.type,
        "data": data.split_sha256,
        "split": spec.dataset.model_dump(mode="json"),
        "views": [augmentation.model_dump(mode="json") for augmentation in recipe.augmentation],
        "storage": storage,
    }
    if recipe.fixed_views is not None:  # then a view's number says nothing without the draws that made it
        identity["drawn"] = {"seed": seed, "batch_size": recipe.batch_size}
    if compiler is not None:
        identity["compiled"] = True  # its logits are rounded differently
    store = LogitStore(
        folder / "logits", canonical_hash(identity), samples=samples, views=views, classes=classes, storage=storage
    )
    live = teacher.folded()
    if compiler is not None and store.filled < samples * views:
        images_NCHW = data.train.images_NCHW
        live = compiler.compiled(live, images_NCHW[torch.arange(_COMPUTE, device=device) % samples])
    return CachedTeacher(live, store)


class CachedTeacher:
    """Logits for batches whose images have numbered views (`batch.view_B`)."""

    def __init__(self, teacher: Network, store: LogitStore) -> None:
        self._teacher, self._store = teacher, store
        self._asked = self._found = self._batches = 0

    def logits(self, batch: Batch) -> Tensor:
        """float32 `[B, K]`, on the images' device."""
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
        states = world.collect(torch.tensor([self._asked, self._found]))  # all are here, so all of them have flushed
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

    def _check(self, batch: Batch, rows_B: Tensor, missing: Tensor) -> Tensor:
        """Computes some of the rows that are there again; if they differ, nothing in the store can be trusted."""
        there = torch.ones(len(rows_B), dtype=torch.bool)
        there[missing] = False
        sample = there.nonzero().squeeze(1)[:_COMPUTE]
        kept, fresh = self._store.get(rows_B[sample]), self._compute(batch.images_BCHW[sample]).cpu()
        if float((kept - fresh).abs().max()) <= _TOLERANCE * max(1.0, float(fresh.abs().max())):
            return missing
        log.warning("the cached logits are not this teacher's: they are dropped and computed again")
        self._store.forget()
        return torch.arange(len(rows_B))

    @torch.no_grad()
    def _compute(self, images_BCHW: Tensor) -> Tensor:
        count = len(images_BCHW)
        short = -count % _COMPUTE
        if short:
            filler = images_BCHW[:1].expand(short, *images_BCHW.shape[1:])
            images_BCHW = torch.cat([images_BCHW, filler])
        parts = [self._teacher.logits(part) for part in torch.split(images_BCHW, _COMPUTE)]
        return torch.cat(parts)[:count]
