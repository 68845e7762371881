"""Which data a job learns from, and how it is split and normalised."""

from __future__ import annotations

from typing import Annotated, ClassVar, Self

from pydantic import Field, field_validator, model_validator

from kd_engine.catalog import DATASETS, DatasetRow
from kd_engine.spec.wrong import wrong
from kd_engine.strict import Strict, unknown_name


class DatasetSpec(Strict):
    """A data set by name, how much of its train split is held out, and how its pixels are normalised."""

    shorthand: ClassVar[str | None] = "name"
    name: str = Field(description="A data set of the catalogue.")
    validation: float | None = Field(
        None, gt=0, le=1_000_000, description="Held out of train: a fraction below 1, or a number of images."
    )
    mean: tuple[float, ...] | None = Field(None, description="Of pixels in [0, 1], a value a channel.")
    std: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(None, description="As `mean`.")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in DATASETS:
            raise unknown_name("data set", name, DATASETS)
        return name

    @model_validator(mode="after")
    def _fits(self) -> Self:
        channels, images = self.row.shape[0], self.row.train
        for field in ("mean", "std"):
            values = getattr(self, field)
            if values is not None and len(values) != channels:
                message = f"'{field}' has {len(values)} values; {self.name} has {channels} channels."
                raise wrong("wrong_shape", message, field)
        if self.validation is not None and self.validation_images > images // 2:
            message = f"{self.name} has {images} train images; at most half can be held out."
            raise wrong("too_many", message, "validation")
        return self

    @property
    def row(self) -> DatasetRow:
        return DATASETS[self.name]

    @property
    def validation_images(self) -> int:
        """How many images of train are held out."""
        if self.validation is None:
            return self.row.validation
        return max(1, round(self.validation * self.row.train if self.validation < 1 else self.validation))

    def resolved(self) -> DatasetSpec:
        return DatasetSpec(
            name=self.name,
            validation=self.row.validation if self.validation is None else self.validation,
            mean=self.mean or self.row.mean,
            std=self.std or self.row.std,
        )
