"""The space of a sweep: paths into a job's spec, each with the values to try. No torch."""

from __future__ import annotations

import copy
import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Self

from pydantic import Discriminator, Field, Tag, model_validator

from kd_engine.jobspec.training import TrainingSpec
from kd_engine.schema.spec_error import wrong
from kd_engine.schema.strict_model import StrictModel

Values = Mapping[str, Any]  # of one trial: path to value
_FARTHEST = 1e15
_MOST_POINTS = 1_000_000
_DRAWS = 100  # at random, for each trial that is wanted, before the space counts as used up


class Range(StrictModel):
    """Numbers between two ends, both included.

    With `step` also a grid takes them: `low`, `low + step`, ...; on a logarithmic scale `step` is a factor.
    """

    low: float = Field(ge=-_FARTHEST, le=_FARTHEST)
    high: float = Field(ge=-_FARTHEST, le=_FARTHEST)
    log: bool = Field(False, description="Evenly by ratio, not by difference.")
    step: float | None = Field(None, gt=0, description="Only every so many; a factor where `log` is true.")

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.low >= self.high:
            message = f"'low' is {self.low:g} and 'high' is {self.high:g}: expected 'low' below 'high'."
            raise wrong("upside_down", message, "low")
        if self.log and self.low <= 0:
            raise wrong("out_of_range", "a logarithmic range begins above 0.", "low")
        if self.log and self.step is not None and self.step <= 1:
            raise wrong("out_of_range", "on a logarithmic scale 'step' is a factor above 1.", "step")
        if self.step is not None and self._span(self.step) > _MOST_POINTS:
            raise wrong(
                "too_many_trials", f"this range has more than {_MOST_POINTS:,} values: take larger steps.", "step"
            )
        return self

    @property
    def whole(self) -> bool:
        """Whether its values are whole numbers: both ends are, and so is a step that is given."""
        return self.low.is_integer() and self.high.is_integer() and (self.step is None or self.step.is_integer())

    def points(self) -> int:
        """How many values a grid has of it; it needs a step."""
        assert self.step is not None, "checked by the sweep"
        return math.floor(self._span(self.step) + 1e-9) + 1

    def _span(self, step: float) -> float:
        """How many steps there are from one end to the other."""
        return self._ratio / math.log(step) if self.log else (self.high - self.low) / step

    @property
    def _ratio(self) -> float:
        """The logarithm of that of the ends."""
        return math.log(self.high) - math.log(self.low)

    def values(self) -> Iterator[float | int]:
        """Those of a grid."""
        assert self.step is not None, "checked by the sweep"
        for place in range(self.points()):
            yield self._point(place, self.step)

    def _point(self, place: int, step: float) -> float | int:
        return self._number(self.low * step**place if self.log else self.low + step * place)

    def drawn(self, share: float) -> float | int:
        """The value at a share of the way, from 0 up to 1."""
        if self.step is not None:
            return self._point(int(share * self.points()), self.step)
        if self.log:
            return self._number(math.exp(math.log(self.low) + share * self._ratio))
        return self._number(self.low + (self.high - self.low) * share)

    def _number(self, value: float) -> float | int:
        return round(value) if self.whole else float(f"{value:.12g}")


def _form(value: Any) -> str:
    return "range" if isinstance(value, dict | Range) else "list"


Choices = Annotated[
    Annotated[tuple[Any, ...], Field(min_length=1, max_length=10_000), Tag("list")] | Annotated[Range, Tag("range")],
    Discriminator(_form),
]
Space = Mapping[str, Choices]


def size(space: Space) -> int | None:
    """How many combinations there are; None where a range without a step has endlessly many."""
    counts = []
    for choices in space.values():
        if isinstance(choices, Range):
            if choices.step is None:
                return None
            counts.append(choices.points())
        else:
            counts.append(len(choices))
    return math.prod(counts)


def grid(space: Space) -> Iterator[dict[str, Any]]:
    """Every combination; the last path changes fastest."""
    lists = [choices.values() if isinstance(choices, Range) else choices for choices in space.values()]
    for values in itertools.product(*lists):
        yield dict(zip(space, values, strict=True))


def at_random(spaces: tuple[Space, ...], trials: int, seed: int) -> Iterator[dict[str, Any]]:
    """Combinations drawn evenly, first a space, then a value of each path; the same seed draws the same ones.

    More than `trials`, since equal ones count once; who has enough stops taking them.
    """
    source = random.Random(seed)  # of it, only random() is the same in every version of Python
    for _ in range(trials * _DRAWS):
        space = spaces[int(source.random() * len(spaces))]
        yield {
            path: choices.drawn(source.random())
            if isinstance(choices, Range)
            else choices[int(source.random() * len(choices))]
            for path, choices in space.items()
        }


def with_values(base: Mapping[str, Any], values: Values) -> dict[str, Any]:
    """The body of one trial's job: `base`, with each value at its path.

    A value of `losses` is the long form of the objective and takes the place of the base's `temperature` and `alpha`,
    and these take the place of the base's `losses` and `ce_weight`.

    Raises:
        LookupError: a path leads through something that holds no keys; the text says what.
    """
    body = copy.deepcopy(dict(base))
    long = {"losses", "ce_weight"}
    short = {"temperature", "alpha"}
    for form, other in ((long, short), (short, long)):
        if any(path.partition(".")[0] in form for path in values):
            for key in other - {path.partition(".")[0] for path in values}:
                body.pop(key, None)
    for path in sorted(values, key=lambda path: path.count(".")):  # 'student' before 'student.params.width'
        _put(body, path.split("."), copy.deepcopy(values[path]))
    return body


def _put(body: dict[str, Any], keys: list[str], value: Any) -> None:
    here: Any = body
    for depth, key in enumerate(keys[:-1]):
        if isinstance(here, dict) and key not in here:
            if keys[depth + 1].isdecimal():
                raise LookupError(f"'{'.'.join(keys)}' leads into a list that 'base' does not have")
            here[key] = _default(keys[: depth + 1])
        below = _get(here, key, ".".join(keys[: depth + 1]))
        if isinstance(below, str):  # short for an object with this name
            below = {_shorthand(keys[: depth + 1]): below}
            here[_index(here, key)] = below
        here = below
    last = keys[-1]
    if isinstance(here, list):
        _get(here, last, ".".join(keys))
        here[int(last)] = value
    elif isinstance(here, dict):
        here[last] = value
    else:
        raise LookupError(f"'{'.'.join(keys[:-1])}' is {here!r} and has no keys")


def _default(keys: list[str]) -> Any:
    """What a spec has here when it says nothing, so that one key of it can be changed alone."""
    if keys[0] != "training":
        return {}
    here: Any = {"training": TrainingSpec().model_dump(mode="json", exclude_none=True)}
    for key in keys:
        here = here.get(key, {}) if isinstance(here, dict) else {}
    return here


def _get(here: Any, key: str, path: str) -> Any:
    if isinstance(here, dict):
        return here.get(key)
    if isinstance(here, list):
        if not key.isdecimal() or int(key) >= len(here):
            raise LookupError(f"'{path}' names no place of a list of {len(here)}; they count from 0")
        return here[int(key)]
    raise LookupError(f"'{path}' leads into {here!r}, which has no keys")


def _index(here: Any, key: str) -> Any:
    return int(key) if isinstance(here, list) else key


def _shorthand(keys: list[str]) -> str:
    """The key of an object that a bare string at this path stands for."""
    if keys[0] == "losses":
        return "kind"
    return "model" if keys in (["student"], ["teacher"]) else "name"
