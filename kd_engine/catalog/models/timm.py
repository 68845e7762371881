"""Any network of the timm library, by name: `timm/resnet18`. No torch and no timm.

What is known of them without the library lies in `timm.csv`, which `kd_engine/models/timm_table.py` writes.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from kd_engine.catalog.models.base import Dropout, ModelParams, ModelRow, Width, stages
from kd_engine.schema.strict_model import nearest

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


TABLE = Path(__file__).with_name("timm.csv")
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


class TimmFacts(NamedTuple):
    """What is known of a network before it is built.

    Attributes:
        min_size, patch: as in `ModelRow`; of sizes that are not known to be too small, the smallest.
        stages: how many feature maps it shows; None where that is not known.
        tags: of the sets of weights that are published.
    """

    min_size: int = 1
    patch: int = 1
    stages: int | None = None
    tags: tuple[str, ...] = ()


@cache
def timm_facts() -> Mapping[str, TimmFacts]:
    """By the network's name without a tag."""
    if not TABLE.exists():
        return {}
    with TABLE.open(newline="") as file:
        return {
            row["name"]: TimmFacts(
                int(row["min_size"]),
                int(row["patch"]),
                int(row["stages"]) if row["stages"] else None,
                tuple(row["tags"].split()),
            )
            for row in csv.DictReader(file)
        }


def unknown_timm(model: str) -> str | None:
    """What to say of `timm/NAME` where timm has no such network, or no such set of weights; None where it has."""
    name, _, tag = model.removeprefix(PREFIX).partition(".")
    facts = timm_facts().get(name)
    if facts is None:
        hint, what = nearest(name, timm_facts()), f"network '{name}'"
    elif tag and tag not in facts.tags:
        found = nearest(tag, facts.tags) or next(iter(facts.tags), None)
        hint, what = name if found is None else f"{name}.{found}", f"set of weights '{name}.{tag}'"
    else:
        return None
    return f"timm has no {what}" + (f"; did you mean '{PREFIX}{hint}'?" if hint else "; timm.list_models() has them.")


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
    facts = timm_facts().get(name.partition(".")[0], TimmFacts())
    return replace(
        TIMM,
        name=model,
        options={"name": name},
        min_size=facts.min_size,
        patch=facts.patch,
        stages=TIMM.stages if facts.stages is None else stages(facts.stages),
        # it turns them back into pixels by these, inside
        normalisation=IMAGENET if name.startswith("csatv2") else None,
    )
