"""How a validator of a spec says what is wrong, and where."""

from __future__ import annotations

from typing import LiteralString

from pydantic_core import PydanticCustomError


def wrong(code: LiteralString, message: str, *at: str) -> PydanticCustomError:
    """The error of a validator; `at` leads from the object that it checks to the value that is wrong."""
    return PydanticCustomError(code, "{message}", {"message": message, "at": at})
