"""Which networks a job trains and learns from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from kd_engine.catalog import MODELS, TIMM, Facts, ModelRow
from kd_engine.catalog.models.timm import PREFIX, timm_facts, timm_row, unknown_timm
from kd_engine.jobspec.inputs import NetworkInput
from kd_engine.jobspec.training import TrainingSpec
from kd_engine.schema.phases import TrainedPhase
from kd_engine.schema.spec_error import wrong
from kd_engine.schema.strict_model import StrictModel, nearest

MOST_WEIGHTS = 500_000_000  # 2 GB in float32: beyond it a typing mistake is likelier than a plan
JOB_ID = r"^job_[0-9A-Za-z]{1,40}$"


_EPOCH = "The weights after this epoch, one of the `snapshots` of its training. Left out: those that count."


class NetworkOfJob(StrictModel):
    """A network that an earlier job published."""

    shorthand: ClassVar[str | None] = "job"
    job: str = Field(pattern=JOB_ID, description="A succeeded job.")
    role: Literal[TrainedPhase, "model"] = Field(
        "student",
        description="Which network of `job`; `baseline` is the student trained alone, `model` one that was sent.",
    )
    epoch: int | None = Field(None, ge=1, description=_EPOCH)

    def input(self, place: str) -> NetworkInput:
        """It, as what a job needs at this place of its spec."""
        return NetworkInput(place, self.job, self.role, self.epoch)


_SUFFIXES = (".pt", ".pth", ".onnx", ".safetensors", ".h5", ".keras", ".ckpt", ".npz", ".bin", ".pb")
_SEND = "a network of your own is sent with POST /models, and then named by the id that it gets, as in 'mdl_...'."


def _unknown_model(name: str, own: str) -> PydanticCustomError:
    if name.lower().endswith(_SUFFIXES) or name.startswith(("/", "./", "../", "~", "file:", "http:", "https:", "s3:")):
        return wrong("unknown_name", f"'{name}' is a file, and no model of the catalogue: {own}")
    in_timm = timm_row(f"{PREFIX}{name}") if name.partition(".")[0] in timm_facts() else None
    # resnet50 is none of ours with a slip of the pen: numbers are meant as they are written
    digits = re.sub(r"\D", "", name)
    known = [*MODELS, TIMM.name]
    near = nearest(name, known)
    hint = f"; did you mean '{near}'?" if near and (in_timm is None or re.sub(r"\D", "", near) == digits) else "."
    timm = f" Networks of the timm library have its name before theirs: '{in_timm.name}'." if in_timm else ""
    return wrong("unknown_name", f"unknown model '{name}'{hint}{timm} Known: {', '.join(sorted(known))}.")


class ModelChoice(StrictModel):
    """A network by name with its parameters."""

    shorthand: ClassVar[str | None] = "model"
    own: ClassVar[str] = "it is trained by the job, from the catalogue; a network that you have can teach it."
    model: str | None = None
    params: dict[str, Any] = Field(default_factory=dict, description="Of the network; the catalogue has their schema.")

    @field_validator("model")
    @classmethod
    def _known(cls, model: str | None) -> str | None:
        if model is not None and model not in MODELS:
            raise _unknown_model(model, cls.own)
        if model is not None and model.startswith(PREFIX) and (problem := unknown_timm(model)) is not None:
            raise wrong("unknown_name", problem)
        return model

    @field_validator("params")
    @classmethod
    def _parameters(cls, params: dict[str, Any], info: ValidationInfo) -> dict[str, Any]:
        model = info.data.get("model")
        if model is None:
            return params
        return MODELS[model].params.model_validate(params).model_dump(mode="json", exclude_none=True)

    @property
    def row(self) -> ModelRow:
        assert self.model is not None, "a network that comes from a job has no row before the job is looked up"
        return MODELS[self.model]

    def check_fits(self, dataset: Facts, role: str) -> None:
        """Raises when the network cannot take the data set's images or name its classes, as far as those are known."""
        for key, actual, what in (
            ("num_classes", dataset.num_classes, "classes"),
            ("in_channels", dataset.channels, "channels"),
        ):
            asked = self.params.get(key)
            if asked is not None and actual is not None and asked != actual:
                raise wrong(
                    "does_not_fit",
                    f"{role}.params.{key} is {asked}, but {dataset.name} has {actual} {what}; leave it out.",
                    role, "params", key,
                )  # fmt: skip
        if dataset.shape is not None:
            self._check_size(dataset.name, dataset.shape, dataset.num_classes, role)

    def _check_size(self, dataset: str, shape: tuple[int, int, int], num_classes: int | None, role: str) -> None:
        size = shape[1:]
        if min(size) < self.row.min_size:
            raise wrong(
                "does_not_fit",
                f"the {role} '{self.model}' needs images of at least {self.row.min_size} pixels a side; "
                f"those of {dataset} have {min(size)}.",
                role,
            )
        if any(side % self.row.patch for side in size):
            raise wrong(
                "does_not_fit",
                f"the {role} '{self.model}' takes images whose sides are multiples of {self.row.patch} pixels; "
                f"those of {dataset} have {size[0]}x{size[1]}.",
                role,
            )
        # two classes where their number is not known yet: already too many stay too many
        weights = self.row.params.model_validate(self.params).weights(shape, num_classes or 2)
        if weights > MOST_WEIGHTS:
            raise wrong(
                "too_many",
                f"the {role} '{self.model}' would have about {weights:,} weights; at most {MOST_WEIGHTS:,} are taken. "
                "Make its layers narrower.",
                role, "params",
            )  # fmt: skip

    def resolved_params(self, dataset: Facts) -> dict[str, Any]:
        known = {"num_classes": dataset.num_classes, "in_channels": dataset.channels}
        return self.params | {key: value for key, value in known.items() if value is not None}


class StudentSpec(ModelChoice):
    """The small network."""

    model: str = Field(description="A network of the catalogue.")

    def resolved(self, dataset: Facts) -> StudentSpec:
        return StudentSpec(model=self.model, params=self.resolved_params(dataset))


class TeacherSpec(ModelChoice):
    """What to learn from: a network to train first (`model`), or that an earlier job trained (`job`), or several."""

    own: ClassVar[str] = _SEND
    key_hints: ClassVar[Mapping[str, str]] = dict.fromkeys(("path", "file", "url", "checkpoint", "weights"), _SEND)
    model: str | None = Field(None, description="A network of the catalogue, to be trained first (once: it is cached).")
    training: TrainingSpec | None = Field(None, description="Its own recipe; the student's is not inherited.")
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="The job's seed, if left out.")
    per_repeat: bool = Field(False, description="Train a teacher for each repeat, with that repeat's seed.")
    job: str | None = Field(None, pattern=JOB_ID, description="A succeeded job to take the network from.")
    role: Literal["teacher", "student", "model"] | None = Field(
        None, description="Which network of `job`; its student."
    )
    epoch: int | None = Field(None, ge=1, description=_EPOCH)
    ensemble: tuple[NetworkOfJob, ...] | None = Field(
        None,
        min_length=2,
        max_length=16,
        description="Networks of earlier jobs; the mean of their probabilities teaches.",
    )

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(given is not None for given in (self.model, self.job, self.ensemble)) != 1:
            message = "a teacher is 'model' (trained first), 'job' (taken from it) or 'ensemble' (of several jobs)"
            raise wrong("one_of", f"{message}; give one.")
        if self.model is None and (self.training or self.params or self.per_repeat or self.seed is not None):
            keys = "'job', 'role' and 'epoch'" if self.job is not None else "'ensemble'"
            raise wrong("one_of", f"a teacher taken from a job is not trained: leave out all but {keys}.")
        if self.training is not None and self.training.compile:
            message = "'compile' is of the network that teaches, and nothing teaches a teacher; "
            raise wrong("not_used", message + "set it in the job's own 'training'.", "training", "compile")
        for key in ("role", "epoch"):
            if self.job is None and getattr(self, key) is not None:
                raise wrong("one_of", f"'{key}' says which network of 'job' to take; without 'job' it means nothing.")
        return self

    @field_validator("ensemble")
    @classmethod
    def _no_member_twice(cls, members: tuple[NetworkOfJob, ...] | None) -> tuple[NetworkOfJob, ...] | None:
        if members is not None and len({(member.job, member.role, member.epoch) for member in members}) < len(members):
            raise wrong("listed_twice", "a network is in the ensemble twice; list each once.")
        return members

    def inputs(self) -> tuple[NetworkInput, ...]:
        """The networks of other jobs that it is made of, in order."""
        if self.job is not None:
            return (NetworkInput("teacher", self.job, self.role or "student", self.epoch),)
        return tuple(member.input(f"teacher/ensemble/{at}") for at, member in enumerate(self.ensemble or ()))

    def resolved(self, dataset: Facts, seed: int) -> TeacherSpec:
        if self.ensemble is not None:
            return self
        if self.job is not None:
            return TeacherSpec(job=self.job, role=self.role or "student", epoch=self.epoch)
        return TeacherSpec(
            model=self.model,
            params=self.resolved_params(dataset),
            training=self.training or TrainingSpec(),
            seed=seed if self.seed is None else self.seed,
            per_repeat=self.per_repeat,
        )
