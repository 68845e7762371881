"""The base of every document: strict where it is written, open to what a later version adds where it is read."""

from __future__ import annotations

import json
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer


def _open(schema: dict[str, Any]) -> None:
    """For readers of the JSON schema too: a later version may add fields."""
    schema.pop("additionalProperties", None)


class Document(BaseModel):
    """A document, or a part of one. Whoever builds it may leave nothing out and add nothing."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, json_schema_extra=_open)

    def changed(self, **fields: Any) -> Self:
        """The same with other values, validated."""
        return type(self).model_validate({name: getattr(self, name) for name in type(self).model_fields} | fields)


class Versioned(Document):
    """A whole document. Its version goes up when a field goes away, or means something else."""

    version: int = Field(description="Of the document. One that has none is of version 1.")

    @classmethod
    def read(cls, text: str | bytes) -> Self:
        """A stored document of this version, an earlier one, or a later one, whose unknown fields are passed over.

        Raises:
            pydantic.ValidationError: it is none.
        """
        data = json.loads(text)
        if isinstance(data, dict) and "version" not in data:
            data = cls._from_version_1(data) | {"version": 1}
        return cls.model_validate(data, extra="ignore")

    @classmethod
    def _from_version_1(cls, data: dict[str, Any]) -> dict[str, Any]:
        return data


class Beside(Document):
    """Has `scores`, and writes each also beside them, where version 1 of the document has it.

    For one documented version: version 3 leaves that out, and this class.
    """

    beside: ClassVar[dict[str, str]] = {}  # other names that version 1 has for them

    @model_serializer(mode="wrap")
    def _beside(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        data: dict[str, Any] = handler(self)
        return data | self.flat(data)

    def flat(self, data: dict[str, Any]) -> dict[str, Any]:
        """What stands beside the rest, of the data that is written."""
        return {self.beside.get(name, name): score for name, score in data["scores"].items()}
