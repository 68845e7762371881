"""A job that looks at a network that somebody sent, before anything is learnt from it."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from kd_engine.catalog import MODELS, TIMM
from kd_engine.spec.dataset import DatasetSpec
from kd_engine.spec.handling import Handled
from kd_engine.spec.job import Labels, Resources, Text
from kd_engine.spec.networks import Source
from kd_engine.spec.wrong import wrong
from kd_engine.strict import unknown_name


class RegisterSpec(Handled):
    """One registration. Made by `POST /models`, never by hand: the file comes with it."""

    kind: Literal["register"]
    name: Text = Field("", description="For people; need not be unique.")
    upload_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file that was sent.")
    format: Literal["safetensors", "onnx", "npz"] = Field(description="Of the file that was sent, by its content.")
    dataset: DatasetSpec = Field(description="What the network is for: it is measured on its test images.")
    model: str | None = Field(None, description="Of weights: the network of the catalogue that they are of.")
    params: dict[str, Any] = Field(default_factory=dict, description="Of `model`; the catalogue has their schema.")
    classes: tuple[str, ...] | None = Field(
        None, description="Which class each output is, where that is not the data set's order."
    )
    mean: tuple[float, ...] | None = Field(
        None, description="Of pixels in [0, 1], a value a channel. Left out: found out by trying the usual ones."
    )
    std: tuple[Annotated[float, Field(gt=0)], ...] | None = Field(None, description="As `mean`.")
    labels: Labels = Field(default_factory=dict, max_length=64)
    resources: Resources = Resources()

    @field_validator("model")
    @classmethod
    def _known(cls, model: str | None) -> str | None:
        if model is not None and model not in MODELS:
            raise unknown_name("model", model, (*MODELS, TIMM.name))
        return model

    @field_validator("params")
    @classmethod
    def _parameters(cls, params: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        model = info.data.get("model")
        if model is None:
            if params:
                raise wrong("not_used", "'params' are of 'model', the network that the weights are of; name it.")
            return params
        return MODELS[model].params.model_validate(params).model_dump(mode="json", exclude_none=True)

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.mean is None) != (self.std is None):
            raise wrong("one_of", "'mean' and 'std' go together: give both, or leave both out.")
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
    def dataset_name(self) -> str:
        """What the job is found by: the data set's name in the catalogue, or the id of one that was sent."""
        return self.dataset.listed_name

    @property
    def student_name(self) -> str:
        """Empty: nothing is trained."""
        return ""

    @property
    def planned_epochs(self) -> int:
        """None: nothing is trained."""
        return 0

    def sources(self) -> tuple[Source, ...]:
        """No networks of other jobs."""
        return ()

    def resolved(self) -> RegisterSpec:
        """The same: what is left open, only the file tells."""
        return self
