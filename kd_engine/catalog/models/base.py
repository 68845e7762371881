"""What is known of a network before it is built. No torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import Field

from kd_engine.schema.strict_model import StrictModel

Width = Annotated[int, Field(ge=1, le=16_384)]
Dropout = Annotated[float, Field(ge=0, lt=1)]


class ModelParams(StrictModel):
    """Parameters that every network has; both come from the data set, and are given only to have them checked."""

    num_classes: int | None = Field(None, ge=2, le=100_000, description="Taken from the data set.")
    in_channels: int | None = Field(None, ge=1, le=64, description="Taken from the data set.")

    def weights(self, shape: tuple[int, int, int], num_classes: int) -> int:
        """About how many parameters the network will have; 0 where its size is fixed and modest."""
        return 0


@dataclass(frozen=True)
class ModelRow:
    """One network of the catalogue.

    Attributes:
        factory: `module:function`; takes the parameters, the image shape (channels, height, width), the number of
            classes and `options`, and returns an `nn.Module` from `[B, C, H, W]` float images to `[B, K]` logits.
        options: keyword arguments of the factory that tell the members of a family apart: depth, width.
        stages: names of the submodules whose outputs are the feature maps that feature losses compare, first stage
            first, stem left out.
        min_size: smallest height and width of an image, in pixels.
        patch: what height and width are multiples of, in pixels.
        normalisation: the mean and the std of its images, where the network counts on them.
    """

    name: str
    summary: str
    factory: str
    params: type[ModelParams]
    options: Mapping[str, Any] = field(default_factory=dict)
    stages: tuple[str, ...] = ()
    min_size: int = 1
    patch: int = 1
    normalisation: tuple[tuple[float, ...], tuple[float, ...]] | None = None

    def describe(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "summary": self.summary,
            "stages": list(self.stages),
            "min_size": self.min_size,
            "schema": self.params.model_json_schema(),
        }


def stages(count: int) -> tuple[str, ...]:
    """`stage1` to `stage<count>`."""
    return tuple(f"stage{number}" for number in range(1, count + 1))
