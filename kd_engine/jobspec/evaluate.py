"""A job that trains nothing: a finished network of an earlier job, measured again."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from kd_engine.jobspec.dataset import DatasetSpec
from kd_engine.jobspec.inputs import Input
from kd_engine.jobspec.inspection import InspectionSpec
from kd_engine.jobspec.networks import NetworkOfJob
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
    def reads(self) -> DatasetSpec:
        return self.dataset

    def inputs(self) -> tuple[Input, ...]:
        networks = {"model": self.model, "teacher": self.teacher}
        given = (network.input(place) for place, network in networks.items() if network is not None)
        return *super().inputs(), *given

    def with_network(self, network: dict[str, Any]) -> dict[str, Any] | None:
        if "ensemble" in network:
            return None  # what its members take and name, the worker sees in its file
        dataset = self.dataset.model_dump(mode="json", exclude_none=True)
        return {"dataset": dataset, "teacher": network, "student": network}
