"""Names for things by what they are made of."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from kd_engine.jobspec.dataset import DatasetSpec
from kd_engine.jobspec.networks import StudentSpec, TeacherSpec
from kd_engine.jobspec.training import TrainingSpec

_NOT_OF_THE_NETWORK: Any = {
    "per_repeat": True,
    "job": True,
    "role": True,
    "epoch": True,
    "ensemble": True,
    "training": {"compile"},
}


def canonical_hash(data: Any) -> str:
    """sha256, in hex, of JSON data with its keys sorted."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def teacher_hash(teacher: TeacherSpec, dataset: DatasetSpec, data_sha256: str, weights_sha256: str = "") -> str:
    """What names a trained teacher: its network, the data and how it was split and normalised, recipe and seed.

    Args:
        teacher: resolved, with a model.
        dataset: resolved.
        data_sha256: of the images and labels that were read.
        weights_sha256: of the file of weights that it starts from, if any: its name alone does not tell.
    """
    identity = teacher.model_dump(mode="json", exclude=_NOT_OF_THE_NETWORK)
    formulas = teacher.training.formulas if teacher.training else {}
    return _trained_hash({"teacher": identity}, dataset, data_sha256, weights_sha256, formulas)


def alone_hash(
    student: StudentSpec,
    training: TrainingSpec,
    seed: int,
    dataset: DatasetSpec,
    data_sha256: str,
    weights_sha256: str = "",
) -> str:
    """What names a student that was trained alone: all that names a teacher, and nothing of the distillation.

    Args:
        student, training, dataset: resolved.
        data_sha256, weights_sha256: as for `teacher_hash`.
    """
    recipe = training.model_dump(mode="json", exclude={"compile"})
    identity = {"alone": student.model_dump(mode="json"), "training": recipe, "seed": seed}
    return _trained_hash(identity, dataset, data_sha256, weights_sha256, training.formulas)


def _trained_hash(
    identity: dict[str, Any], dataset: DatasetSpec, data_sha256: str, weights_sha256: str, formulas: dict[str, int]
) -> str:
    whole = identity | {"dataset": dataset.model_dump(mode="json"), "data": data_sha256}
    more = {"weights": weights_sha256, "formulas": formulas}
    return canonical_hash(whole | {key: value for key, value in more.items() if value})
