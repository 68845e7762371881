"""Any network of the timm library, by name: `timm/resnet18`. No torch and no timm.

Which names exist is known once the library is imported, in the engine; here only their form is checked.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from kd_engine.catalog.models.base import Dropout, ModelParams, ModelRow, Width, stages

PREFIX = "timm/"
# an architecture, and perhaps the tag of one of its sets of weights; no scheme (`hf-hub:`) and no path gets through
_NAME = re.compile(r"[a-z0-9_]{1,64}(\.[a-z0-9_]{1,64})?")


class TimmParams(ModelParams):
    """A network of the timm library, its classifier replaced by a new head."""

    pretrained: bool = Field(False, description="Start from the weights that timm publishes; needs a network once.")
    weights_file: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,199}\.safetensors$",
        description="Start from this file in KD_DATA_DIR's folder 'weights'; tensors are named as in timm.",
    )
    frozen_backbone: bool = Field(False, description="Train the head alone; BatchNorm of the rest stays as it is.")
    head: tuple[Width, ...] = Field((), max_length=16, description="Hidden layers before the classes, with ReLU.")
    dropout: Dropout = Field(
        0.0, description="Probability of dropping a hidden unit, or a feature where there are none."
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.pretrained and self.weights_file is not None:
            message = "'pretrained' and 'weights_file' both say where the weights come from: give one."
            raise PydanticCustomError("one_of", "{message}", {"message": message})
        return self

    def weights(self, shape: tuple[int, int, int], num_classes: int) -> int:
        """Of the head alone: the rest is counted by the engine, before it is built."""
        return sum(before * after for before, after in pairwise((*self.head, num_classes)))


TIMM = ModelRow(
    name=f"{PREFIX}*",
    summary="Any network of the timm library by its name there, as in timm/resnet18.",
    factory="kd_engine.models.timm:timm_network",
    params=TimmParams,
    stages=stages(4),
)


def timm_row(model: str) -> ModelRow | None:
    """The row of `timm/NAME`; None for what is not of that form."""
    name = model.removeprefix(PREFIX)
    if name == model or not _NAME.fullmatch(name):
        return None
    return replace(TIMM, name=model, options={"name": name})
