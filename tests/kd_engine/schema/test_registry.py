"""Registries, and the base of all that a user may write."""

from __future__ import annotations

from typing import ClassVar, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from kd_engine.schema.registry import by_tag, tagged_union
from kd_engine.schema.strict_model import StrictModel, nearest


class Pet(StrictModel):
    shorthand: ClassVar[str | None] = "name"
    name: str
    legs: float = 4


class Dog(Pet):
    name: Literal["dog"] = "dog"


class Bird(Pet):
    name: Literal["bird"] = "bird"
    legs: float = 2


class OtherDog(Pet):
    name: Literal["dog"] = "dog"


def test_by_tag_sorts_and_leaves_out_classes_without_a_tag() -> None:
    assert by_tag([Dog, Pet, Bird], tag="name") == {"bird": Bird, "dog": Dog}


def test_two_classes_with_one_tag_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="OtherDog and Dog both claim name 'dog'"):
        by_tag([Dog, OtherDog], tag="name")


class TestTaggedUnion:
    adapter: TypeAdapter[Pet] = TypeAdapter(tagged_union(by_tag([Dog, Bird], "name"), tag="name", what="pet"))

    @pytest.mark.parametrize("written", ["bird", {"name": "bird"}, {"name": "bird", "legs": 2}, Bird()])
    def test_all_ways_to_write_one(self, written: object) -> None:
        assert self.adapter.validate_python(written) == Bird()

    @pytest.mark.parametrize(
        ("written", "message"),
        [
            ("brid", "unknown pet 'brid'; did you mean 'bird'? Known: bird, dog."),
            ("zebra", "unknown pet 'zebra'. Known: bird, dog."),
            ({"legs": 3}, "expected a pet: its name, or an object with 'name', one of bird, dog."),
            ({"name": ["dog"]}, "expected a pet"),
            (3, "expected a pet"),
        ],
    )
    def test_what_is_none(self, written: object, message: str) -> None:
        with pytest.raises(ValidationError) as caught:
            self.adapter.validate_python(written)

        assert message in str(caught.value)


@pytest.mark.parametrize("legs", [float("nan"), float("inf"), float("-inf")])
def test_numbers_are_finite(legs: object) -> None:
    with pytest.raises(ValidationError, match="finite"):
        Pet.model_validate({"name": "dog", "legs": legs})


def test_shorthand() -> None:
    assert Pet.model_validate("cat") == Pet(name="cat")


@pytest.mark.parametrize(
    ("name", "expected"), [("temperatur", "temperature"), ("ALPHA", "alpha"), ("xyz", None), ("", None)]
)
def test_nearest(name: str, expected: str | None) -> None:
    assert nearest(name, ["temperature", "alpha", "seed"]) == expected
