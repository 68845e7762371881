"""How a network is trained."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from kd_engine.images.augmentations import AugmentationSpec
from kd_engine.optim.optimizers import Adam, OptimizerSpec
from kd_engine.optim.schedules import Constant, ScheduleSpec
from kd_engine.schema.spec_error import wrong
from kd_engine.schema.strict_model import StrictModel


class TrainingSpec(StrictModel):
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
    patience: int | None = Field(
        None, ge=1, le=10_000, description="Stop after so many epochs without a better one; needs `keep: best`."
    )
    ema: float | None = Field(
        None, gt=0, lt=1, description="Decay per step of a moving average of the weights, which is then what counts."
    )
    fixed_views: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="After so many epochs the same ones come again, image by image: not the method as published, and "
        "known to overfit, but the teacher's logits can then be kept whatever the augmentation.",
    )
    snapshots: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field(
        (), max_length=20, description="Epochs after which the weights are published too, as `teacher-epoch-3`."
    )
    head_lr_factor: float = Field(1.0, gt=0, le=1000, description="Factor on the learning rate of the last layer.")

    compile: bool = Field(
        False,
        description="Compile the teacher's forward pass while it teaches: some seconds first, faster steps then. Needs "
        "a C++ compiler on the worker's machine.",
    )

    @model_validator(mode="after")
    def _snapshots_come_up(self) -> Self:
        for position, epoch in enumerate(self.snapshots):
            if epoch > self.epochs:
                message = f"there is no epoch {epoch} to keep: the training has {self.epochs}."
                raise wrong("out_of_range", message, "snapshots", str(position))
        if len(set(self.snapshots)) < len(self.snapshots):
            raise wrong("listed_twice", "an epoch is listed twice; list each once.", "snapshots")
        return self

    @property
    def formulas(self) -> dict[str, int]:
        """What the recipe uses and an earlier version computed otherwise, with the number of today's formula.

        Networks and checkpoints of another number are not taken for this recipe's.
        """
        used = {"ema": self.ema is not None, "warm_up": self.schedule.warmup_epochs > 0}
        return {name: 2 for name, is_used in used.items() if is_used}

    def turn(self, epoch: int) -> int:
        """Which epoch's order and augmentations epoch `epoch` (from 0) has: its own, or one that came before."""
        return epoch if self.fixed_views is None else epoch % self.fixed_views

    @model_validator(mode="after")
    def _patience_needs_a_best(self) -> Self:
        if self.patience is not None and self.keep != "best":
            raise wrong("one_of", "'patience' counts epochs since the best one; it needs 'keep': 'best'.", "patience")
        return self
