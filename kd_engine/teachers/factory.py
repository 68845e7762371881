"""Which teacher a training gets: one whose logits are kept, where they can be and it pays, or one that computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from kd_engine.data.dataset import Dataset
from kd_engine.images.augmentations import count_views
from kd_engine.jobspec import DatasetSpec, TrainingSpec, canonical_hash
from kd_engine.losses import Loss
from kd_engine.networks.compile import Compiler
from kd_engine.teachers.base import Teacher
from kd_engine.teachers.cached import COMPUTE, CachedTeacher
from kd_engine.teachers.live import LiveTeacher
from kd_engine.teachers.network import TeacherNetwork
from kd_engine.teachers.store import LogitStore

_MOST_BYTES = 4 * 2**30  # all views of CIFAR-100 take 1.6 GB in float16
BATCH_DEPENDENT = "what the teacher says of an image depends on its batch, so its logits are not kept"


@dataclass(frozen=True)
class Lesson:
    """What is asked of a teacher: by one student, or by several that see the same batches.

    Attributes:
        dataset: resolved.
        recipe: that makes the batches.
        losses: that compare its answers.
        cache: as the spec's `teacher_cache`.
        seed: of the batches, on which the views depend where they are fixed.
    """

    dataset: DatasetSpec
    recipe: TrainingSpec
    losses: Sequence[Loss]
    cache: Literal["auto", "off", "float16", "float32"]
    seed: int

    @property
    def features(self) -> bool:
        """Whether feature maps are compared."""
        return any(loss.uses_features for loss in self.losses)

    def kept_views(self, data: Dataset) -> int | None:
        """How many views of each image logits are kept of; None where the spec or the method rules it out."""
        views = self.recipe.fixed_views or count_views(self.recipe.augmentation, data.shape)
        if self.cache == "off" or views is None or self.features:
            return None
        too_much = len(data.train) * views * len(data.classes) * 2 > _MOST_BYTES
        unwanted = data.train.images_NCHW.device.type != "cpu" or too_much
        return None if self.cache == "auto" and unwanted else views


def teacher_for(
    lesson: Lesson, data: Dataset, teacher: TeacherNetwork, folder: Path, compiler: Compiler | None = None
) -> Teacher:
    """A teacher of the batches of the train split.

    Its logits are kept but where the spec or the method rules that out, or where one depends on the batch that it is
    computed in.

    Args:
        folder: shared by all jobs.
        compiler: makes what computes faster.
    """
    views = lesson.kept_views(data)
    if views is not None and not teacher.network.batch_dependent:
        return _cached(lesson, views, data, teacher, folder, compiler)
    like_BCHW = None if compiler is None else data.train.images_NCHW[: compiler.batch_size]
    off = BATCH_DEPENDENT if teacher.network.batch_dependent and lesson.cache != "off" else None
    return LiveTeacher(teacher, features=lesson.features, compiler=compiler, like_BCHW=like_BCHW, off=off)


def _cached(
    lesson: Lesson, views: int, data: Dataset, teacher: TeacherNetwork, folder: Path, compiler: Compiler | None
) -> CachedTeacher:
    recipe, network, images_NCHW = lesson.recipe, teacher.network, data.train.images_NCHW
    storage = "float16" if lesson.cache == "auto" else lesson.cache
    identity: dict[str, Any] = {
        "teacher": teacher.sha256,
        "model": network.architecture.to_json(),
        "precision": str(network.dtype),
        "device": images_NCHW.device.type,
        "data": data.split_sha256,
        "split": lesson.dataset.model_dump(mode="json"),
        "views": [augmentation.model_dump(mode="json") for augmentation in recipe.augmentation],
        "storage": storage,
    }
    if recipe.fixed_views is not None:  # then a view's number says nothing without the draws that made it
        identity["drawn"] = {"seed": lesson.seed, "batch_size": recipe.batch_size}
    if compiler is not None:
        identity["compiled"] = True  # its logits are rounded differently
    samples, classes = len(data.train), len(data.classes)
    store = LogitStore(
        folder / "logits", canonical_hash(identity), samples=samples, views=views, classes=classes, storage=storage
    )
    computing = teacher.folded
    if compiler is not None and store.filled < samples * views:
        like_BCHW = images_NCHW[torch.arange(COMPUTE, device=images_NCHW.device) % samples]
        computing = compiler.compiled(computing, like_BCHW)
    return CachedTeacher(computing, store, network.stages)
