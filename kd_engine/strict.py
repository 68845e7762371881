"""The base of every object that a user may write: frozen, finite, and unknown keys are refused with a hint."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

_MOST_HINTS = 10  # a body of nothing but unknown keys must not cost a search for each


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that a typo most likely meant, or None when nothing is close."""
    matches = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.6)
    return matches[0] if matches else None


def unknown_name(what: str, name: str, known: Iterable[str]) -> PydanticCustomError:
    """The error for a name that no registry or catalogue knows."""
    names = sorted(known)
    hint = nearest(name, names)
    guess = f"; did you mean '{hint}'?" if hint else "."
    message = f"unknown {what} '{name}'{guess} Known: {', '.join(names)}."
    return PydanticCustomError("unknown_name", "{message}", {"message": message})


class Strict(BaseModel):
    """A frozen pydantic model that refuses unknown keys (naming the nearest known one), NaN and infinities.

    A subclass that sets `shorthand` may be written as a bare string, which stands for that field:
    `"mnist"` for `{"name": "mnist"}`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)
    shorthand: ClassVar[str | None] = None

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, value: Any) -> Any:
        if isinstance(value, str) and cls.shorthand:
            return {cls.shorthand: value}
        if not isinstance(value, dict):
            return value
        unknown = [key for key in value if key not in cls.model_fields]
        if unknown:
            raise PydanticCustomError(
                "unknown_key", "{message}", {"message": cls._unknown_message(unknown), "keys": unknown}
            )
        return value

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        return {"anyOf": [{"type": "string"}, schema]} if cls.shorthand else schema

    @classmethod
    def _unknown_message(cls, unknown: list[str]) -> str:
        parts = []
        for key in unknown[:_MOST_HINTS]:
            hint = nearest(str(key), cls.model_fields)
            parts.append(f"unknown key '{key}'" + (f"; did you mean '{hint}'?" if hint else "."))
        return " ".join(parts) + f" Known keys here: {', '.join(cls.model_fields)}."
