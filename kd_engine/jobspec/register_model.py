"""A job that looks at a network that somebody sent, before anything is learnt from it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from kd_engine.jobspec.dataset import DatasetSpec
from kd_engine.jobspec.inputs import UPLOAD, Input, UploadInput
from kd_engine.jobspec.inspection import InspectionSpec
from kd_engine.jobspec.networks import ModelChoice
from kd_engine.schema.spec_error import wrong


class RegisterSpec(ModelChoice, InspectionSpec):
    """One registration. Made by `POST /models`, never by hand: the file comes with it."""

    shorthand: ClassVar[str | None] = None
    kind: Literal["register"]
    upload_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file that was sent.")
    format: Literal["safetensors", "onnx", "npz"] = Field(description="Of the file that was sent, by its content.")
    dataset: DatasetSpec = Field(description="What the network is for: it is measured on its test images.")
    model: str | None = Field(None, description="Of weights: the network of the catalogue that they are of.")
    classes: tuple[str, ...] | None = Field(
        None, description="Which class each output is, where that is not the data set's order."
    )
    mean: tuple[Annotated[float, Field(ge=-2, le=2)], ...] | None = Field(
        None,
        description="Of pixels in [0, 1], a value a channel in the order in which the network takes them. Left out: "
        "found out by trying the usual ones.",
    )
    std: tuple[Annotated[float, Field(ge=-10, le=10)], ...] | None = Field(
        None, description="As `mean`; below 0 where pixels go in inverted."
    )
    channels: Literal["rgb", "bgr"] | None = Field(
        None, description="In which order an ONNX model takes them. Left out: found out with mean and std."
    )

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise wrong("one_of", "'mean' and 'std' go together: give both, or leave both out.")
        if self.std is not None and 0 in self.std:
            raise wrong("greater_than", "'std' is divided by: expected numbers other than 0.", "std")
        if self.mean is not None and self.format == "npz":
            raise wrong("not_used", "recorded logits take no pixels; leave 'mean' and 'std' out.", "mean")
        if self.channels == "bgr" and self.format != "onnx":
            raise wrong(
                "not_used",
                "'channels' is of ONNX models; turn the first layer's weights instead (weight.flip(1)), and leave it "
                "out.",
                "channels",
            )
        if self.model is None and self.params:
            raise wrong("not_used", "'params' are of 'model', the network that the weights are of; name it.", "params")
        if self.model is not None and self.format != "safetensors":
            raise wrong("not_used", "'model' is of safetensors weights; leave it out.", "model")
        known = self.dataset.facts.classes
        if self.classes is not None and known is not None and sorted(self.classes) != sorted(known):
            raise wrong(
                "does_not_fit",
                f"'classes' names {len(self.classes)} classes in the order of the network's outputs; expected those of "
                f"the data set, each once: {', '.join(known[:10])}{', ...' if len(known) > 10 else ''}.",
                "classes",
            )
        return self

    @property
    def reads(self) -> DatasetSpec:
        return self.dataset

    def inputs(self) -> tuple[Input, ...]:
        return *super().inputs(), UploadInput(UPLOAD, self.upload_sha256)
