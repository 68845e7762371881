"""Which tasks, models, data sets, losses, optimisers, schedules, augmentations and exporters exist. No torch."""

from __future__ import annotations

from typing import Any

from kd_engine.catalog.dataset_params import DatasetParams, Facts
from kd_engine.catalog.datasets import DATASETS, PREPARED, UNPACKED, UPLOADED, DatasetRow
from kd_engine.catalog.exporters import EXPORTERS, ExporterRow
from kd_engine.catalog.models import MODELS, TIMM, ModelParams, ModelRow
from kd_engine.catalog.tasks import TASKS, TaskRow
from kd_engine.images.augmentations import AUGMENTATIONS
from kd_engine.losses import LOSSES
from kd_engine.optim.optimizers import OPTIMIZERS
from kd_engine.optim.schedules import SCHEDULES
from kd_engine.schema.strict_model import StrictModel

__all__ = [
    "DATASETS",
    "EXPORTERS",
    "MODELS",
    "PREPARED",
    "TASKS",
    "TIMM",
    "UNPACKED",
    "UPLOADED",
    "DatasetParams",
    "DatasetRow",
    "ExporterRow",
    "Facts",
    "ModelParams",
    "ModelRow",
    "TaskRow",
    "catalog",
]


def catalog() -> dict[str, list[dict[str, Any]]]:
    """Everything a spec may name, each with the JSON schema of its parameters."""
    return {
        "tasks": [row.describe() for row in TASKS.values()],
        "datasets": [row.describe() for row in DATASETS.values()],
        "models": [row.describe() for row in (*MODELS.values(), TIMM)],
        "losses": [_describe(name, cls) for name, cls in LOSSES.items()],
        "optimizers": [_describe(name, cls) for name, cls in OPTIMIZERS.items()],
        "schedules": [_describe(name, cls) for name, cls in SCHEDULES.items()],
        "augmentations": [_describe(name, cls) for name, cls in AUGMENTATIONS.items()],
        "exporters": [row.describe() for row in EXPORTERS.values()],
    }


def _describe(name: str, cls: type[StrictModel]) -> dict[str, Any]:
    return {"name": name, "summary": (cls.__doc__ or "").strip(), "schema": cls.model_json_schema()}
