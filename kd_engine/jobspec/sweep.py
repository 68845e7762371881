"""A sweep: one question about many students, asked as a base job and the values to try in it. No torch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, ValidationError, model_validator

from kd_engine.catalog import Facts
from kd_engine.jobspec.dataset import DatasetSpec
from kd_engine.jobspec.distill import JobSpec, Labels, Resources, Text
from kd_engine.jobspec.hashes import canonical_hash
from kd_engine.jobspec.inputs import Input, NetworkInput
from kd_engine.jobspec.problems import FieldProblem, field_problems
from kd_engine.jobspec.repeats import RepeatsUntil
from kd_engine.jobspec.service_options import ServiceOptions
from kd_engine.jobspec.space import Choices, Range, Space, Values, at_random, grid, size, with_values
from kd_engine.schema.errors import InvalidSpecError
from kd_engine.schema.registry import tagged_union
from kd_engine.schema.spec_error import wrong
from kd_engine.schema.strict_model import StrictModel

MOST_TRIALS = 500
_MOST_COMBINATIONS = 100_000  # of a grid, equal ones included: more are refused before they are looked at
_MOST_EQUAL = 2_000  # combinations that are written in different ways, each of which has to be read
_DEEPEST = 12  # keys of a path
_OF_THE_SWEEP = ("name", "labels", "priority", "keep_days", "webhooks")
# What all trials have in common: they are compared on the same images and seeds, and run as one.
_SHARED = {
    "dataset": "trials are compared on the same images: send a sweep for each data set.",
    "seed": "every trial has the seeds of 'base': give 'repeats' for more of them.",
    "repeats": "every trial has the seeds of 'base'.",
    "baseline": "the student alone is part of every sweep, once for each student and budget.",
    "export": "what is chosen is exported, in the forms of 'base'.",
    "resources": "the trials run together.",
    "kind": "every trial is a distillation.",
}


class GridSearch(StrictModel):
    """Every combination."""

    method: Literal["grid"] = "grid"


class RandomSearch(StrictModel):
    """Combinations drawn evenly."""

    method: Literal["random"] = "random"
    trials: int = Field(20, ge=1, le=MOST_TRIALS)
    seed: int = Field(0, ge=0, le=2**31 - 1)


_SEARCHES: dict[str, type[GridSearch] | type[RandomSearch]] = {"grid": GridSearch, "random": RandomSearch}
if TYPE_CHECKING:
    Search = GridSearch | RandomSearch
else:
    Search: Any = tagged_union(_SEARCHES, tag="method", what="search")


@dataclass(frozen=True)
class Trial:
    """One point of a sweep.

    Attributes:
        number: from 0, in the order in which trials are told of.
        values: what distinguishes it, by path.
        spec: the job that it is, resolved.
    """

    number: int
    values: Values
    spec: JobSpec


def _form(value: Any) -> str:
    return "one" if isinstance(value, dict) else "more"


OneOrMore = Annotated[
    Annotated[dict[str, Choices], Tag("one")]
    | Annotated[tuple[dict[str, Choices], ...], Field(max_length=100), Tag("more")],
    Discriminator(_form),
]


class SweepSpec(ServiceOptions):
    """One sweep."""

    kind: Literal["sweep"]
    name: Text = Field("", description="For people; need not be unique.")
    base: dict[str, Any] = Field(description="A job's spec; keys that `space` gives may be left out.")
    space: OneOrMore = Field(
        (),
        description="Paths into `base`, each with a list of values or a range; or a list of such spaces: their union.",
    )
    trials: tuple[dict[str, Any], ...] = Field(
        (), max_length=MOST_TRIALS, description="Trials named one by one, before those of `space`: values by path."
    )
    search: Search = GridSearch()
    labels: Labels = Field(default_factory=dict, max_length=64)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.base.get("kind", "distill") != "distill":
            raise wrong(
                "does_not_fit", "a sweep is over distillation jobs: leave 'kind' out of 'base'.", "base", "kind"
            )
        for key in _OF_THE_SWEEP:
            if key in self.base:
                raise wrong("does_not_fit", f"'{key}' is the sweep's own: write it beside 'base'.", "base", key)
        if self.base.get("baseline", True) is False:
            raise wrong("does_not_fit", f"{_SHARED['baseline']} Leave this out.", "base", "baseline")
        if not self._spaces() and not self.trials:
            raise wrong("empty", "nothing to try: give 'space' (values by path) or 'trials'.", "space")
        for at, space in self._spaces():
            if not space:
                message = "this space has no path: expected at least one, as in {'temperature': [1, 4]}."
                raise wrong("empty", message, *at)
            self._check_space(space, at)
        for place, values in enumerate(self.trials):
            self._check_paths(values, ("trials", str(place)))
        shared = self.expanded[0].spec  # every combination is a job that could be sent
        if isinstance(shared.repeats, RepeatsUntil):
            message = "the trials of a sweep have the same seeds, so their number is to be known: expected a number."
            raise wrong("does_not_fit", message, "base", "repeats")
        if shared.resources.devices > 1:
            message = "the trials of a sweep train on one device; leave 'devices' out."
            raise wrong("does_not_fit", message, "base", "resources", "devices")
        return self

    def _spaces(self) -> list[tuple[tuple[str, ...], Space]]:
        """Where each is written, and itself."""
        if isinstance(self.space, dict):
            return [(("space",), self.space)]
        return [(("space", str(place)), space) for place, space in enumerate(self.space)]

    def _check_space(self, space: Space, at: tuple[str, ...]) -> None:
        self._check_paths(space, at)
        for path, choices in space.items():
            if isinstance(choices, Range) and choices.step is None and self.search.method == "grid":
                message = "a grid needs a 'step' in its ranges, or a list; or take 'search': 'random'."
                raise wrong("does_not_fit", message, *at, path)
        count = (size(space) or 0) * len(self._spaces())
        if self.search.method == "grid" and count > _MOST_COMBINATIONS:
            message = (
                f"a grid of {count:,} combinations; a sweep has at most {MOST_TRIALS} trials. Take fewer values, or "
                "'search': {'method': 'random', 'trials': 100}."
            )
            raise wrong("too_many_trials", message, *at)

    def _check_paths(self, paths: Any, at: tuple[str, ...]) -> None:
        for path in paths:
            if path.count(".") >= _DEEPEST:
                raise wrong("unknown_path", f"a path has at most {_DEEPEST} keys.", *at)
            root = path.partition(".")[0]
            if root in _SHARED:
                raise wrong("does_not_fit", f"'{path}' is no path of a space: {_SHARED[root]}", *at, path)
            if root in _OF_THE_SWEEP:
                raise wrong("does_not_fit", f"'{path}' is the sweep's own and the same for all trials.", *at, path)

    @cached_property
    def expanded(self) -> tuple[Trial, ...]:
        """All trials, equal ones once.

        Raises:
            PydanticCustomError: a combination is no job, or there are more than `MOST_TRIALS`.
        """
        found: dict[str, Trial] = {}
        written = set()  # combinations, so that those drawn again and again are not made again and again
        wanted = self.search.trials + len(self.trials) if isinstance(self.search, RandomSearch) else None
        for at, values in self._combinations():
            if (combination := canonical_hash(values)) in written:
                continue
            written.add(combination)
            if len(written) > _MOST_EQUAL:
                message = f"more than {_MOST_EQUAL:,} combinations, most of them equal trials; take fewer values."
                raise wrong("too_many_trials", message, "space")
            trial = self._trial(len(found), values, at)
            found.setdefault(_identity(trial.spec), trial)
            if wanted is not None and len(found) == wanted:
                break
            if len(found) > MOST_TRIALS:
                message = f"more than {MOST_TRIALS} trials, the most of a sweep; take fewer values."
                raise wrong("too_many_trials", message, "space")
        return tuple(found.values())

    @property
    def dataset(self) -> DatasetSpec:
        """That all trials train on."""
        return self.expanded[0].spec.dataset

    @property
    def reads(self) -> DatasetSpec:
        return self.dataset

    @property
    def student_name(self) -> str:
        """The student's network, by its name in the catalogue; empty where trials have different ones."""
        names = {trial.spec.student_name for trial in self.expanded}
        return names.pop() if len(names) == 1 else ""

    @property
    def resources(self) -> Resources:
        """Where all trials run, together."""
        return self.expanded[0].spec.resources

    @property
    def repeats(self) -> int:
        """Seeds of each trial."""
        return self.expanded[0].spec.most_repeats

    @property
    def planned_epochs(self) -> int:
        """Epochs of all trainings together, at most: each teacher and each student alone counts once."""
        once = {
            canonical_hash([of, part]): epochs * times
            for trial in self.expanded
            for of, part, epochs, times in _shared_trainings(trial.spec)
        }
        return sum(once.values()) + sum(trial.spec.training.epochs * self.repeats for trial in self.expanded)

    @property
    def formulas(self) -> dict[str, int]:
        """As `JobSpec.formulas`, of all trials."""
        return {name: number for trial in self.expanded for name, number in trial.spec.formulas.items()}

    def inputs(self) -> tuple[Input, ...]:
        """Networks of other jobs that teach come each once, in the order in which trials ask for them."""
        asked = dict.fromkeys(network.network for trial in self.expanded for network in trial.spec.networks())
        networks = (NetworkInput(f"teacher/{number}", *network) for number, network in enumerate(asked))
        return *super().inputs(), *networks

    def resolved(self) -> Self:
        """The same: what is left to default is said by each trial's own spec."""
        return self

    def settled(self, facts: Facts) -> tuple[Trial, ...]:
        """The trials as they run: their specs with all facts of the data that was read.

        Raises:
            InvalidSpecError: one of them does not fit the data; the message has its combination.
        """
        found = []
        for trial in self.expanded:
            try:
                found.append(replace(trial, spec=trial.spec.settled(facts)))
            except InvalidSpecError as error:
                raise InvalidSpecError(f"{error} {_shown(trial.values)}") from error
        return tuple(found)

    @property
    def paths(self) -> tuple[str, ...]:
        """What trials differ in, in the order of the first to name it."""
        return tuple(dict.fromkeys(path for trial in self.expanded for path in trial.values))

    def _combinations(self) -> Iterator[tuple[tuple[str, ...], Values]]:
        """Where each is written, and its values."""
        for place, values in enumerate(self.trials):
            yield ("trials", str(place)), values
        if isinstance(self.search, GridSearch):
            for at, space in self._spaces():
                yield from ((at, values) for values in grid(space))
        elif self.space:
            spaces = tuple(space for _, space in self._spaces())
            yield from ((("space",), values) for values in at_random(spaces, self.search.trials, self.search.seed))

    def _trial(self, number: int, values: Values, at: tuple[str, ...]) -> Trial:
        """The job with these values.

        Args:
            at: where the values are written in the sweep's spec.

        Raises:
            PydanticCustomError: it is none; the message has the combination, its place is the value's path.
        """
        try:
            body = with_values(self.base, values)
        except LookupError as error:
            raise wrong("unknown_path", f"{error.args[0]}: {_shown(values)}.", *at) from None
        try:
            spec = JobSpec.model_validate(body | {"kind": "distill"})
        except ValidationError as error:
            problem = field_problems(error, body)[0]
            raise wrong("does_not_fit", f"{problem.message} {_shown(values)}", *_place(problem, values, at)) from None
        return Trial(number, dict(values), spec.resolved())


def _shared_trainings(spec: JobSpec) -> Iterator[tuple[str, Any, int, int]]:
    """What trials may share: of which kind, what makes it what it is, its epochs, how many seeds it has."""
    alone = [spec.student.model_dump(mode="json"), spec.training.model_dump(mode="json")]
    yield "alone", alone, spec.training.epochs, spec.most_repeats
    teacher = spec.teacher
    if teacher.training is not None:
        yield (
            "teacher",
            teacher.model_dump(mode="json"),
            teacher.training.epochs,
            (spec.most_repeats if teacher.per_repeat else 1),
        )


def _identity(spec: JobSpec) -> str:
    """Equal for jobs that train alike: what a loss without weight says, as its temperature, changes nothing."""
    body = spec.to_json()
    losses = [loss if loss["weight"] else {"kind": loss["kind"], "weight": 0} for loss in body["losses"]]
    return canonical_hash(body | {"losses": losses})


def _place(problem: FieldProblem, values: Values, at: tuple[str, ...]) -> tuple[str, ...]:
    """Of what is wrong with a trial: the path that gave the value, or its place in the base."""
    keys = problem.pointer.removeprefix("/").split("/")
    for path in sorted(values, key=len, reverse=True):
        parts = path.split(".")
        if keys[: len(parts)] == parts or parts[: len(keys)] == keys:
            return (*at, path)
    return ("base", *keys)


def _shown(values: Values) -> str:
    """The combination, for a message."""
    return "In the trial with " + ", ".join(f"{path} = {value!r}" for path, value in values.items()) + "."
