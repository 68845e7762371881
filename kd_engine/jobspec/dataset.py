"""Which data a job learns from, and how it is split and normalised."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from kd_engine.catalog import DATASETS, UPLOADED, DatasetParams, DatasetRow, Facts
from kd_engine.catalog.dataset_params import DATASET_ID
from kd_engine.jobspec.inputs import DATASET, DatasetInput
from kd_engine.schema.spec_error import wrong
from kd_engine.schema.strict_model import StrictModel, nearest

_SUFFIXES = (".zip", ".npz", ".csv", ".gz", ".tar", ".tgz", ".parquet", ".h5")


def _unknown_dataset(name: str) -> PydanticCustomError:
    if "/" in name or "\\" in name or name.lower().endswith(_SUFFIXES):
        message = (
            f"'{name}' is a place, and no data set of the catalogue: send the data with POST /datasets, or put a "
            "folder of pictures under KD_DATA_DIR and name it from there: "
            '{"name": "image_folder", "params": {"folder": "photos", "height": 32, "width": 32}}.'
        )
        return wrong("unknown_name", message)
    near = nearest(name, DATASETS)
    hint = f"; did you mean '{near}'?" if near else "."
    known = f"Known: {', '.join(sorted(DATASETS))}, and what was sent to the service: GET /datasets lists that."
    return wrong("unknown_name", f"unknown data set '{name}'{hint} {known}")


class DatasetSpec(StrictModel):
    """A data set by name, how much of its train split is held out, and how its pixels are normalised."""

    shorthand: ClassVar[str | None] = "name"
    name: str = Field(description="A data set of the catalogue.")
    params: dict[str, Any] | None = Field(
        None, description="Of data sets that have any; the catalogue has their schema."
    )
    validation: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="Held out of train: a fraction below 1, or a number of images. Not used where the data set brings "
        "a validation split.",
    )
    mean: tuple[float, ...] | None = Field(None, description="Of pixels in [0, 1], a value a channel.")
    std: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(None, description="As `mean`.")

    @field_validator("name")
    @classmethod
    def _known(cls, name: str) -> str:
        if re.fullmatch(DATASET_ID, name):
            raise wrong("unknown_name", f"'{name}' was sent to a service, which alone knows it: post the job there.")
        if name not in DATASETS:
            raise _unknown_dataset(name)
        return name

    @field_validator("params")
    @classmethod
    def _parameters(cls, params: dict[str, Any] | None, info: ValidationInfo) -> dict[str, Any] | None:
        row = DATASETS.get(info.data.get("name", ""))
        if row is None:
            return params
        if params is None and row.params is not None:
            needed = [key for key, field in row.params.model_fields.items() if field.is_required()]
            raise wrong("missing_params", f"the data set '{row.name}' needs 'params' with {', '.join(needed)}.")
        checked = (row.params or DatasetParams).model_validate(params or {})
        return checked.model_dump(mode="json", exclude_none=True) or None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        facts = self.facts
        self.check_fits(facts)
        if facts.validation is not None and self.validation not in (None, facts.validation):
            message = f"the data set brings its own {facts.validation:,} images for validation; leave this out."
            raise wrong("not_used", message, "validation")
        return self

    def check_fits(self, facts: Facts) -> None:
        """Raises where this does not agree with the data set; what is not known of that is not checked."""
        for field in ("mean", "std"):
            values = getattr(self, field)
            if values is not None and facts.channels is not None and len(values) != facts.channels:
                message = f"'{field}' has {len(values)} values; {self.name} has {facts.channels} channels."
                raise wrong("wrong_shape", message, field)
        if facts.validation is not None:  # then nothing is held out
            return
        held_out = self.held_out(facts.train)
        # a default may come out too large as well, once it is known of how few images
        if facts.train is not None and held_out is not None and not 0 < held_out <= facts.train // 2:
            message = f"{self.name} has {facts.train} train images; at most half can be held out."
            raise wrong("too_many", message, "validation")

    @property
    def row(self) -> DatasetRow:
        return DATASETS[self.name]

    @property
    def listed_name(self) -> str:
        """Its name in the catalogue, or the id of one that was sent."""
        return str(self.params["id"]) if self.name == UPLOADED and self.params else self.name

    def inputs(self) -> tuple[DatasetInput, ...]:
        """The file of one that was sent."""
        if self.name != UPLOADED:
            return ()
        return (DatasetInput(DATASET, self.listed_name, self.typed_params.layout),)

    @property
    def facts(self) -> Facts:
        """What is known of the data set before it is read."""
        known: Facts = self.typed_params.facts(self.row.facts)
        return known

    @property
    def typed_params(self) -> Any:
        """The parameters as an object of the row's class."""
        return (self.row.params or DatasetParams).model_validate(self.params or {})

    def absence(self, data_dir: Path) -> str | None:
        """What to tell a user whose data set is not under `data_dir`, and how to get it; None when it is there."""
        if self.row.params is not None:
            missing: str | None = self.typed_params.absence(data_dir)
            return missing
        return None if self.row.present(data_dir) else self.row.absence(data_dir)

    def held_out(self, train: int | None) -> int | None:
        """How many of `train` images are held out; None while their number is not known and matters."""
        share = self.row.validation if self.validation is None else self.validation
        if share >= 1:
            return round(share)
        return None if train is None else max(1, round(share * train))

    def resolved(self, facts: Facts | None = None) -> DatasetSpec:
        """Nothing left to default; mean and std stay open until `facts` of the data that was read say them."""
        facts = facts or self.facts
        return DatasetSpec(
            name=self.name,
            params=self.params,
            validation=facts.validation or (self.row.validation if self.validation is None else self.validation),
            mean=self.mean or facts.mean,
            std=self.std or facts.std,
        )
