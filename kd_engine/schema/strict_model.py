"""The base of every object that a user may write: frozen, finite, unknown keys refused with a hint, and nothing taken
for a number or a truth value that is not one.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, cast

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

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


def _exact(schema: Any) -> Any:
    """A core schema in which no number or truth value is made of anything else.

    Not pydantic's own strict mode, which also refuses a list for a tuple and 5.0 for an integer.
    """
    if isinstance(schema, list | tuple):
        return type(schema)(_exact(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if kind in ("float", "bool"):
        return schema | {"strict": True}
    if kind == "int":
        return core_schema.no_info_before_validator_function(_number, cast(CoreSchema, schema))
    if kind == "function-before" and schema["function"]["function"] is _number:
        return schema
    # `fields` of a model has no type of its own, only fields that may be called anything
    kept = ("metadata", "default") if isinstance(kind, str) else ()
    return {key: value if key in kept else _exact(value) for key, value in schema.items()}


def _number(value: Any) -> Any:
    if isinstance(value, bool | str | bytes):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


class StrictModel(BaseModel):
    """A frozen pydantic model that refuses unknown keys (naming the nearest known one), NaN and infinities.

    A number is a number (5.0 is also an integer), never `"5"` or `true`; a truth value is `true` or `false`.

    A subclass that sets `shorthand` may be written as a bare string, which stands for that field:
    `"mnist"` for `{"name": "mnist"}`. `key_hints` says of keys that people write, and that there are not, what to do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)
    shorthand: ClassVar[str | None] = None
    key_hints: ClassVar[Mapping[str, str]] = {}

    @model_validator(mode="before")
    @classmethod
    def _check_keys(cls, value: Any) -> Any:
        if isinstance(value, str) and cls.shorthand:
            return {cls.shorthand: value}
        if not isinstance(value, dict):
            return value
        unknown = [key for key in value if key not in cls.model_fields]
        if unknown:
            messages = [cls._unknown_message(key, place < _MOST_HINTS) for place, key in enumerate(unknown)]
            known = f"Known keys here: {', '.join(cls.model_fields)}."
            # as one text for those who show it as such, and by key for `field_problems`
            raise PydanticCustomError(
                "unknown_key",
                "{message}",
                {"message": f"{' '.join(messages[:_MOST_HINTS])} {known}", "keys": unknown, "each": messages,
                 "known": known},
            )  # fmt: skip
        return value

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema: CoreSchema = _exact(handler(source))
        return schema

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core)
        return {"anyOf": [{"type": "string"}, schema]} if cls.shorthand else schema

    @classmethod
    def _unknown_message(cls, key: Any, search: bool) -> str:
        hint = cls.key_hints.get(key) if isinstance(key, str) else None
        if hint is not None:
            return f"unknown key '{key}': {hint}"
        near = nearest(str(key), cls.model_fields) if search else None
        return f"unknown key '{key}'" + (f"; did you mean '{near}'?" if near else ".")
