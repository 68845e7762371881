"""How a network is trained."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kd_engine.augmentations import AugmentationSpec
from kd_engine.optimizers import Adam, OptimizerSpec
from kd_engine.schedules import Constant, ScheduleSpec
from kd_engine.strict import Strict


class TrainingSpec(Strict):
    """How a network is trained."""

    epochs: int = Field(12, ge=1, le=10_000)
    batch_size: int = Field(128, ge=1, le=65_536)
    optimizer: OptimizerSpec = Adam()
    schedule: ScheduleSpec = Constant()
    augmentation: tuple[AugmentationSpec, ...] = Field((), max_length=16)
    precision: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="`auto`: bf16 for convolutions where the device is fast at it; losses stay float32."
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Of the cross-entropy term.")
    clip_norm: float | None = Field(None, gt=0, le=1e6, description="Largest L2 norm of the gradient.")
    keep: Literal["best", "last"] = Field(
        "best", description="Which epoch's weights count: best on the validation split, or the last."
    )
