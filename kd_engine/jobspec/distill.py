"""A whole distillation job."""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple, Self

from pydantic import AfterValidator, Field, model_validator

from kd_engine.catalog import Facts
from kd_engine.catalog.exporters import DEFAULT_EXPORT, EXPORTERS, ExportForm
from kd_engine.images.augmentations import misfit
from kd_engine.jobspec.dataset import DatasetSpec
from kd_engine.jobspec.inputs import Input
from kd_engine.jobspec.networks import ModelChoice, StudentSpec, TeacherSpec
from kd_engine.jobspec.repeats import Repeats, RepeatsUntil
from kd_engine.jobspec.service_options import ServiceOptions
from kd_engine.jobspec.training import TrainingSpec
from kd_engine.losses import LossSpec
from kd_engine.losses.dist import DIST
from kd_engine.losses.kl import KL
from kd_engine.schema.spec_error import as_invalid_spec, wrong
from kd_engine.schema.strict_model import StrictModel

DEFAULT_TEMPERATURE = 4.0
DEFAULT_ALPHA = 0.9


def storable(text: str) -> str:
    if "\0" in text:
        raise wrong("bad_text", "this text holds a NUL character; leave it out.")
    return text


Text = Annotated[str, Field(max_length=200), AfterValidator(storable)]


class Resources(StrictModel):
    """Where the job runs."""

    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="`auto`: a GPU where the worker has one.")
    devices: int = Field(1, ge=1, le=64, description="Train on so many GPUs, or in so many processes on the CPU.")
    timeout_seconds: float | None = Field(
        None, gt=0, le=1e8, description="The job fails when its attempts have run so long in all. Left out: no limit."
    )
    queue_timeout_seconds: float | None = Field(
        None, gt=0, le=1e8, description="The job ends when it has waited so long to be begun. Left out: no limit."
    )


def _check_labels(labels: dict[str, str]) -> dict[str, str]:
    for key in labels:
        if not key or len(storable(key)) > 63:
            raise wrong("bad_label", "a label's key has 1 to 63 characters.")
    return labels


def _check_export(forms: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(forms)) < len(forms):
        raise wrong("listed_twice", "a form is listed twice; list each once.")
    for form in forms:
        for needed in EXPORTERS[form].needs:
            if needed not in forms:
                raise wrong("one_of", f"'{form}' is made from '{needed}': list both, or neither.")
    return forms


Labels = Annotated[dict[str, Text], AfterValidator(_check_labels)]


class ObjectiveSpec(NamedTuple):
    """What a student minimises: ce_weight * CE + sum of weight * loss."""

    losses: tuple[LossSpec, ...]
    ce_weight: float


class JobSpec(ServiceOptions):
    """One distillation job."""

    kind: Literal["distill"] = Field("distill", description="`evaluate` is the other kind, with keys of its own.")
    name: Text = Field("", description="For people; need not be unique.")
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
    repeats: Repeats = Field(
        1,
        description='Seeds `seed` to `seed + repeats - 1`; or `{"until": {"width": 0.01}, "at_most": 10}`, in short '
        '`"auto"`: as many as the answer needs.',
    )
    labels: Labels = Field(default_factory=dict, max_length=64)
    resources: Resources = Resources()
    teacher_cache: Literal["auto", "off", "float16", "float32"] = Field(
        "auto",
        description="Keep the teacher's logits of each view of each image, in this precision. `auto`: float16 on the "
        "CPU, where the augmentation's views are finite, no loss needs feature maps and there is room.",
    )

    export: Annotated[tuple[ExportForm, ...], AfterValidator(_check_export)] = Field(
        DEFAULT_EXPORT,
        description="Forms, besides safetensors, in which the student is published; none: `[]`.",
    )

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        short = [key for key in ("temperature", "alpha") if getattr(self, key) is not None]
        long = [key for key in ("losses", "ce_weight") if getattr(self, key) is not None]
        if short and long:
            raise wrong(
                "two_forms",
                f"{short[0]!r} (short form) and {long[0]!r} (long form) say the same thing twice: write either "
                "'temperature' and 'alpha', or 'losses' and 'ce_weight'.",
            )
        if self.ce_weight is not None and self.losses is None:
            message = "'ce_weight' belongs to the long form: give 'losses' as well, or use 'alpha'."
            raise wrong("two_forms", message, "ce_weight")
        return self

    @model_validator(mode="after")
    def _until_needs_the_student_alone(self) -> Self:
        if isinstance(self.repeats, RepeatsUntil) and not self.baseline:
            message = "repeats that go on until the gain is known need the student alone: leave out 'baseline: false'."
            raise wrong("does_not_fit", message, "repeats")
        return self

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        self._check_fits(self.dataset.facts)
        return self

    def _check_fits(self, facts: Facts) -> None:
        """Raises where the parts do not fit the data or each other; what is not known of the data is not checked."""
        self._check_augmentations(facts)
        self.student.check_fits(facts, "student")
        if self.teacher.model is not None:
            self.teacher.check_fits(facts, "teacher")
        self._check_normalisation(facts)
        student, teacher = len(self.student.row.stages), self._teacher_stages()
        for position, loss in enumerate(self.objective()[0]):
            problem = loss.misfit(student, teacher)
            if problem is None and facts.row_size == 2:
                problem = loss.useless_on_two_classes()
            if problem is None and loss.needs_one_class and facts.task_row.several:
                problem = (
                    f"the loss '{loss.kind}' compares an image with those of other classes, and in {facts.name} an "
                    "image may have several; take another."
                )
            if problem is not None:
                raise wrong("does_not_fit", problem, "losses", str(position))

    def _check_normalisation(self, facts: Facts) -> None:
        """Raises where a network counts on another mean and std than its images have."""
        has = (self.dataset.mean or facts.mean, self.dataset.std or facts.std)
        for choice in (self.teacher, self.student):
            needs = None if choice.model is None else choice.row.normalisation
            if needs is not None and has != needs:
                mean, std = (list(values) for values in needs)
                message = (
                    f"'{choice.model}' turns its images back into pixels with a mean and a std of its own, inside, and "
                    f"would see wrong ones: give the data set's 'mean' as {mean} and its 'std' as {std}."
                )
                raise wrong("does_not_fit", message, "dataset", "mean")

    def _check_augmentations(self, facts: Facts) -> None:
        recipes = {("training",): self.training, ("teacher", "training"): self.teacher.training}
        for at, recipe in recipes.items():
            found = misfit(recipe.augmentation, facts.shape) if recipe else None
            if found is not None:
                position, problem = found
                raise wrong("does_not_fit", problem, *at, "augmentation", str(position))

    def _teacher_stages(self) -> int:
        """Stages of the teacher, none of an ensemble; the student's, where only the run will know the teacher."""
        if self.teacher.ensemble is not None:
            return 0
        return len(self.teacher.row.stages if self.teacher.model else self.student.row.stages)

    @property
    def student_name(self) -> str:
        """The student's network, by its name in the catalogue."""
        return self.student.model

    @property
    def planned_epochs(self) -> int:
        """Epochs of all trainings together, at most."""
        students = self.most_repeats * self.training.epochs * (2 if self.baseline else 1)
        if self.teacher.model is None:
            return students
        teacher = self.teacher.training or TrainingSpec()
        return students + teacher.epochs * (self.most_repeats if self.teacher.per_repeat else 1)

    @property
    def most_repeats(self) -> int:
        """Seeds at most."""
        return self.repeats.at_most if isinstance(self.repeats, RepeatsUntil) else self.repeats

    @property
    def reads(self) -> DatasetSpec:
        return self.dataset

    def inputs(self) -> tuple[Input, ...]:
        return *super().inputs(), *self.teacher.inputs()

    def choices(self) -> dict[str, ModelChoice]:
        return {"teacher": self.teacher, "student": self.student}

    def with_network(self, network: dict[str, Any]) -> dict[str, Any]:
        return self.to_json() | {"teacher": network}

    def refusal_of_outputs(self, form: str) -> tuple[str, str] | None:
        students = len(self.student.row.stages)
        for place, loss in enumerate(self.objective().losses):
            if (problem := loss.misfit(students, 0)) is not None:
                message = f"{problem} An ONNX model or a list of logits shows no feature maps: use losses of logits."
                return f"/losses/{place}", message
        if form == "npz" and self.training.augmentation:
            message = "the teacher is a list of logits and knows the images as they are: leave 'augmentation' out."
            return "/training/augmentation", message
        return None

    def objective(self) -> ObjectiveSpec:
        """The distillation terms and the factor of cross-entropy, from either form.

        The objective is ce_weight * CE + sum of weight * loss; this is the only place that turns alpha into weights.
        """
        if self.losses is not None:
            return ObjectiveSpec(self.losses, 1.0 if self.ce_weight is None else self.ce_weight)
        alpha = DEFAULT_ALPHA if self.alpha is None else self.alpha
        temperature = DEFAULT_TEMPERATURE if self.temperature is None else self.temperature
        return ObjectiveSpec((KL(temperature=temperature, weight=alpha),), round(1 - alpha, 12))

    @property
    def formulas(self) -> dict[str, int]:
        """As `TrainingSpec.formulas`, of all that the job trains: a checkpoint of other numbers is not gone on from."""
        teacher = self.teacher.training.formulas if self.teacher.training is not None else {}
        dist = any(isinstance(loss, DIST) and loss.temperature > DIST.usual for loss in self.objective()[0])
        return teacher | self.training.formulas | ({"dist": 2} if dist else {})

    def settled(self, facts: Facts) -> JobSpec:
        """What runs: `resolved` once the data was read, with all of its facts, and every check made again with them.

        Raises:
            InvalidSpecError: something does not fit the data; the message is the one that a spec is refused with.
        """
        with as_invalid_spec():
            self.dataset.check_fits(facts)
            self._check_fits(facts)
        return self.resolved(facts)

    def resolved(self, facts: Facts | None = None) -> JobSpec:
        """The same job in the long form with nothing left to default, save what only the data will tell."""
        losses, ce_weight = self.objective()
        facts = facts or self.dataset.facts
        changes = {
            "dataset": self.dataset.resolved(facts),
            "teacher": self.teacher.resolved(facts, self.seed),
            "student": self.student.resolved(facts),
            "losses": losses,
            "ce_weight": ce_weight,
            "temperature": None,
            "alpha": None,
        }
        return self.model_copy(update=changes)
