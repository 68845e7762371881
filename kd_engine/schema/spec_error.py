"""How a validator of a spec says what is wrong, and where."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import LiteralString

from pydantic_core import PydanticCustomError

from kd_engine.schema.errors import InvalidSpecError


def wrong(code: LiteralString, message: str, *at: str) -> PydanticCustomError:
    """The error of a validator; `at` leads from the object that it checks to the value that is wrong."""
    return PydanticCustomError(code, "{message}", {"message": message, "at": at})


@contextmanager
def as_invalid_spec() -> Iterator[None]:
    """For checks that are made again once the data is known: what a validator would raise ends the run."""
    try:
        yield
    except PydanticCustomError as error:
        raise InvalidSpecError(error.message()) from error
