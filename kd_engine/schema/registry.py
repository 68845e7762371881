"""A folder is a registry: every class found in a package's modules is known under its tag."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Annotated, Any, Literal, TypeVar, Union

from pydantic import BeforeValidator, Discriminator, Field, Tag
from pydantic_core import PydanticCustomError

from kd_engine.schema.strict_model import StrictModel, unknown_name

T = TypeVar("T", bound=StrictModel)


def discover(package: ModuleType, base: type[T], tag: str) -> dict[str, type[T]]:
    """All subclasses of `base` in the modules of `package`, by the default of their `tag` field.

    Raises:
        ValueError: two classes claim the same tag.
    """
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{package.__name__}.{module.name}")
    return by_tag(_subclasses(base), tag)


def by_tag(classes: list[type[T]], tag: str) -> dict[str, type[T]]:
    """The classes that set a default for `tag`, by that default, sorted by name."""
    found: dict[str, type[T]] = {}
    for cls in classes:
        field = cls.model_fields.get(tag)
        if field is None or not isinstance(field.default, str):
            continue
        if field.default in found:
            raise ValueError(f"{cls.__name__} and {found[field.default].__name__} both claim {tag} '{field.default}'")
        found[field.default] = cls
    return dict(sorted(found.items()))


def _subclasses(base: type[T]) -> list[type[T]]:
    direct = list(base.__subclasses__())
    return direct + [below for cls in direct for below in _subclasses(cls)]


def tagged_union(classes: dict[str, type[T]], tag: str, what: str) -> Any:
    """A pydantic type that accepts any of `classes`, told apart by `tag`; a bare string stands for the tag alone."""

    def check(value: Any) -> Any:
        if isinstance(value, str):
            value = {tag: value}
        if isinstance(value, StrictModel):
            return value
        if not isinstance(value, dict) or not isinstance(value.get(tag), str):
            raise PydanticCustomError(
                "missing_name",
                "{message}",
                {"message": f"expected a {what}: its name, or an object with '{tag}', one of {', '.join(classes)}."},
            )
        if value[tag] not in classes:
            raise unknown_name(what, value[tag], classes)
        return value

    def tag_of(value: Any) -> Any:
        return value.get(tag) if isinstance(value, dict) else getattr(value, tag, None)

    members = tuple(Annotated[cls, Tag(name)] for name, cls in classes.items())
    union: Any = Annotated[Union[members], Field(discriminator=Discriminator(tag_of))]  # noqa: UP007
    written: Any = Union[Literal[tuple(classes)], union]  # noqa: UP007
    return Annotated[union, BeforeValidator(check, json_schema_input_type=written)]
