"""A job that trains nothing: a finished network of an earlier job, measured again."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from kd_engine.jobspec.dataset import DatasetSpec
from kd_engine.jobspec.inspection import InspectionSpec
from kd_engine.jobspec.networks import NetworkOfJob, Source
from kd_engine.schema.spec_error import wrong


class EvaluateSpec(InspectionSpec):
    """One evaluation: all that can be measured of a network on a data set's test images."""

    kind: Literal["evaluate"]
    dataset: DatasetSpec = Field(description="Its test split is used; normalisation comes with the network.")
    model: NetworkOfJob
    teacher: NetworkOfJob | None = Field(None, description="To compare with: agreement and divergence.")

    @model_validator(mode="after")
    def _test_split_alone(self) -> Self:
        for key in ("validation", "mean", "std"):
            if getattr(self.dataset, key) is not None:
                message = f"an evaluation has no use for '{key}': it takes the test images, normalised as the network "
                raise wrong("not_used", message + "was trained; leave it out.", "dataset", key)
        return self

    @property
    def dataset_name(self) -> str:
        """What the job is found by: the data set's name in the catalogue, or the id of one that was sent."""
        return self.dataset.listed_name

    def sources(self) -> tuple[Source, ...]:
        """The networks of other jobs that this one needs."""
        given = {"model": self.model, "teacher": self.teacher}
        return tuple(
            Source(key, network.job, network.role, network.epoch)
            for key, network in given.items()
            if network is not None
        )
