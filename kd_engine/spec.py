"""A job spec: what a user asks for, in the short or the long form, and what that resolves to. No torch.

`JobSpec.model_validate(body)` checks what was written; `spec.resolved()` fills in every default and turns the short
form (`temperature`, `alpha`) into `losses` and `ce_weight`, so that nothing a run needs is left implicit. Resolving a
resolved spec changes nothing.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, ClassVar, Literal, LiteralString, Self

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from kd_engine.augmentations import AugmentationSpec
from kd_engine.catalog import DATASETS, MODELS, DatasetRow, ModelRow
from kd_engine.losses import LossSpec
from kd_engine.losses.kl import KL
from kd_engine.optimizers import Adam, OptimizerSpec
from kd_engine.schedules import Constant, ScheduleSpec
from kd_engine.strict import Strict, unknown_name

DEFAULT_TEMPERATURE = 4.0
DEFAULT_ALPHA = 0.9
MOST_WEIGHTS = 500_000_000  # 2 GB in float32: beyond it a typing mistake is likelier than a plan
_JOB_ID = r"^job_[0-9A-Za-z]{1,40}$"


def _wrong(code: LiteralString, message: str, *at: str) -> PydanticCustomError:
    """The error of a validator; `at` leads from the object that it checks to the value that is wrong."""
    return PydanticCustomError(code, "{message}", {"message": message, "at": at})


def _storable(text: str) -> str:
    if "\0" in text:
        raise _wrong("bad_text", "this text holds a NUL character; leave it out.")
    return text


_Text = Annotated[str, Field(max_length=200), AfterValidator(_storable)]


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
                raise _wrong("wrong_shape", message, field)
        if self.validation is not None and self.validation_images > images // 2:
            message = f"{self.name} has {images} train images; at most half can be held out."
            raise _wrong("too_many", message, "validation")
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


class TrainingSpec(Strict):
    """How a network is trained."""

    epochs: int = Field(12, ge=1, le=10_000)
    batch_size: int = Field(128, ge=1, le=65_536)
    optimizer: OptimizerSpec = Adam()
    schedule: ScheduleSpec = Constant()
    augmentation: tuple[AugmentationSpec, ...] = Field((), max_length=16)
    precision: Literal["auto", "float32", "bf16"] = Field(
        "auto", description="`auto`: bf16 for convolutions where the device is fast at it; losses stay float32."
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1, description="Of the cross-entropy term.")
    clip_norm: float | None = Field(None, gt=0, le=1e6, description="Largest L2 norm of the gradient.")
    keep: Literal["best", "last"] = Field(
        "best", description="Which epoch's weights count: best on the validation split, or the last."
    )


class _ModelChoice(Strict):
    """A network by name with its parameters."""

    shorthand: ClassVar[str | None] = "model"
    model: str | None = None
    params: dict[str, Any] = Field(default_factory=dict, description="Of the network; the catalogue has their schema.")

    @field_validator("model")
    @classmethod
    def _known(cls, model: str | None) -> str | None:
        if model is not None and model not in MODELS:
            raise unknown_name("model", model, MODELS)
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

    def check_fits(self, dataset: DatasetRow, role: str) -> None:
        """Raises when the network cannot take the data set's images or name its classes."""
        channels, *size = dataset.shape
        for key, actual, what in (
            ("num_classes", dataset.num_classes, "classes"),
            ("in_channels", channels, "channels"),
        ):
            asked = self.params.get(key)
            if asked is not None and asked != actual:
                raise _wrong(
                    "does_not_fit",
                    f"{role}.params.{key} is {asked}, but {dataset.name} has {actual} {what}; leave it out.",
                    role, "params", key,
                )  # fmt: skip
        if min(size) < self.row.min_size:
            raise _wrong(
                "does_not_fit",
                f"the {role} '{self.model}' needs images of at least {self.row.min_size} pixels a side; "
                f"those of {dataset.name} have {min(size)}.",
                role,
            )
        weights = self.row.params.model_validate(self.params).weights(dataset.shape, dataset.num_classes)
        if weights > MOST_WEIGHTS:
            raise _wrong(
                "too_many",
                f"the {role} '{self.model}' would have about {weights:,} weights; at most {MOST_WEIGHTS:,} are taken. "
                "Make its layers narrower.",
                role, "params",
            )  # fmt: skip

    def resolved_params(self, dataset: DatasetRow) -> dict[str, Any]:
        return self.params | {"num_classes": dataset.num_classes, "in_channels": dataset.shape[0]}


class StudentSpec(_ModelChoice):
    """The small network."""

    model: str = Field(description="A network of the catalogue.")

    def resolved(self, dataset: DatasetRow) -> StudentSpec:
        return StudentSpec(model=self.model, params=self.resolved_params(dataset))


class TeacherSpec(_ModelChoice):
    """The network to learn from: one to train first (`model`), or one that an earlier job trained (`job`)."""

    model: str | None = Field(None, description="A network of the catalogue, to be trained first (once: it is cached).")
    training: TrainingSpec | None = Field(None, description="Its own recipe; the student's is not inherited.")
    seed: int | None = Field(None, ge=0, le=2**31 - 1, description="The job's seed, if left out.")
    per_repeat: bool = Field(False, description="Train a teacher for each repeat, with that repeat's seed.")
    job: str | None = Field(None, pattern=_JOB_ID, description="A succeeded job to take the network from.")
    role: Literal["teacher", "student"] | None = Field(None, description="Which network of `job`; its student.")

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.model is None) == (self.job is None):
            raise _wrong("one_of", "a teacher is either 'model' (trained first) or 'job' (taken from it); give one.")
        if self.job is not None and (self.training or self.params or self.per_repeat or self.seed is not None):
            raise _wrong("one_of", "a teacher taken from a job is not trained: leave out all but 'job' and 'role'.")
        if self.job is None and self.role is not None:
            raise _wrong("one_of", "'role' says which network of 'job' to take; without 'job' it means nothing.")
        return self

    def resolved(self, dataset: DatasetRow, seed: int) -> TeacherSpec:
        if self.job is not None:
            return TeacherSpec(job=self.job, role=self.role or "student")
        return TeacherSpec(
            model=self.model,
            params=self.resolved_params(dataset),
            training=self.training or TrainingSpec(),
            seed=seed if self.seed is None else self.seed,
            per_repeat=self.per_repeat,
        )


class Resources(Strict):
    """Where the job runs."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto`: a GPU where the worker has one.")


def _check_labels(labels: dict[str, str]) -> dict[str, str]:
    for key in labels:
        if not key or len(_storable(key)) > 63:
            raise _wrong("bad_label", "a label's key has 1 to 63 characters.")
    return labels


class JobSpec(Strict):
    """One distillation job."""

    name: _Text = Field("", description="For people; need not be unique.")
    dataset: DatasetSpec
    teacher: TeacherSpec
    student: StudentSpec
    temperature: float | None = Field(
        None, gt=0, le=1000, description=f"Short form; {DEFAULT_TEMPERATURE:g} by default."
    )
    alpha: float | None = Field(
        None, ge=0, le=1, description=f"Short form: weight of the soft term, {DEFAULT_ALPHA:g}; 1 - alpha is hard."
    )
    losses: tuple[LossSpec, ...] | None = Field(None, min_length=1, max_length=16, description="Long form.")
    ce_weight: float | None = Field(None, ge=0, le=1e6, description="Long form: factor of cross-entropy, 1.")
    training: TrainingSpec = TrainingSpec()
    baseline: bool = Field(True, description="Also train the student alone, on the same budget and seed.")
    seed: int = Field(0, ge=0, le=2**31 - 1)
    repeats: int = Field(1, ge=1, le=100, description="Seeds `seed` to `seed + repeats - 1`.")
    labels: Annotated[dict[str, _Text], AfterValidator(_check_labels)] = Field(default_factory=dict, max_length=64)
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        short = [key for key in ("temperature", "alpha") if getattr(self, key) is not None]
        long = [key for key in ("losses", "ce_weight") if getattr(self, key) is not None]
        if short and long:
            raise _wrong(
                "two_forms",
                f"{short[0]!r} (short form) and {long[0]!r} (long form) say the same thing twice: write either "
                "'temperature' and 'alpha', or 'losses' and 'ce_weight'.",
            )
        if self.ce_weight is not None and self.losses is None:
            message = "'ce_weight' belongs to the long form: give 'losses' as well, or use 'alpha'."
            raise _wrong("two_forms", message, "ce_weight")
        return self

    @model_validator(mode="after")
    def _augmentations_fit(self) -> Self:
        recipes = {("training",): self.training, ("teacher", "training"): self.teacher.training}
        for at, recipe in recipes.items():
            for position, augmentation in enumerate(recipe.augmentation if recipe else ()):
                problem = augmentation.misfit(self.dataset.row.shape)
                if problem is not None:
                    raise _wrong("does_not_fit", problem, *at, "augmentation", str(position))
        return self

    @model_validator(mode="after")
    def _networks_fit(self) -> Self:
        self.student.check_fits(self.dataset.row, "student")
        if self.teacher.model is not None:
            self.teacher.check_fits(self.dataset.row, "teacher")
        for loss in self.objective()[0]:
            if loss.uses_features:
                self._check_stages(loss.kind)
        return self

    def _check_stages(self, kind: str) -> None:
        student = len(self.student.row.stages)
        teacher = len(self.teacher.row.stages) if self.teacher.model else student
        if student == 0 or student != teacher:
            raise _wrong(
                "does_not_fit",
                f"the loss '{kind}' compares feature maps stage by stage: the student '{self.student.model}' has "
                f"{student} stages and the teacher '{self.teacher.model or self.teacher.job}' has {teacher}; they "
                "must be equal and above 0.",
                "losses",
            )

    def objective(self) -> tuple[tuple[LossSpec, ...], float]:
        """The distillation terms and the factor of cross-entropy, from either form.

        The objective is ce_weight * CE + sum of weight * loss; this is the only place that turns alpha into weights.
        """
        if self.losses is not None:
            return self.losses, 1.0 if self.ce_weight is None else self.ce_weight
        alpha = DEFAULT_ALPHA if self.alpha is None else self.alpha
        temperature = DEFAULT_TEMPERATURE if self.temperature is None else self.temperature
        return (KL(temperature=temperature, weight=alpha),), round(1 - alpha, 12)

    def resolved(self) -> JobSpec:
        """The same job in the long form with nothing left to default."""
        losses, ce_weight = self.objective()
        row = self.dataset.row
        changes = {
            "dataset": self.dataset.resolved(),
            "teacher": self.teacher.resolved(row, self.seed),
            "student": self.student.resolved(row),
            "losses": losses,
            "ce_weight": ce_weight,
            "temperature": None,
            "alpha": None,
        }
        return self.model_copy(update=changes)

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON data, keys that say nothing left out; `model_validate` reads it back."""
        return self.model_dump(mode="json", exclude_none=True)


def canonical_hash(data: Any) -> str:
    """sha256, in hex, of JSON data with its keys sorted."""
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def teacher_hash(teacher: TeacherSpec, dataset: DatasetSpec, data_sha256: str) -> str:
    """What names a trained teacher: its network, the data and how it was split and normalised, recipe and seed.

    Args:
        teacher: resolved, with a model.
        dataset: resolved.
        data_sha256: of the images and labels that were read.
    """
    identity = teacher.model_dump(mode="json", exclude={"per_repeat", "job", "role"})
    return canonical_hash({"teacher": identity, "dataset": dataset.model_dump(mode="json"), "data": data_sha256})
