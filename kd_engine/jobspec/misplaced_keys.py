"""Where in a spec a key belongs, for who wrote it at another place."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from kd_engine.catalog import DATASETS, MODELS, TIMM
from kd_engine.jobspec.distill import JobSpec

_MOST = 3
_NEARLY = 0.85
_Path = tuple[str, ...]
_LIST = "[]"


def elsewhere(key: str, written: Sequence[Any], *, alike: bool) -> str | None:
    """Where `key` belongs, in words, if it belongs to other objects than the one at the path `written`.

    Those inside that object are named, if there are such; otherwise all.

    Args:
        alike: look for one that is written nearly so, where there is no such key.
    """
    if alike and key not in _places():
        key = next(iter(get_close_matches(key.lower(), _places(), n=1, cutoff=_NEARLY)), key)
    here = tuple(_LIST if isinstance(part, int) else str(part) for part in written)
    found = [path for path in _places().get(key, ()) if path[:-1] != here]
    if not found:
        return None
    inside = [path for path in found if path[: len(here)] == here] or found
    return f"write it as {' or '.join(_shown(path) for path in inside[:_MOST])}"


def is_inside(key: str, written: Sequence[Any]) -> bool:
    """Whether an object inside the one at the path `written` has such a key."""
    here = tuple(_LIST if isinstance(part, int) else str(part) for part in written)
    return any(path[: len(here)] == here and len(path) > len(here) + 1 for path in _places().get(key, ()))


def _shown(path: _Path) -> str:
    joined = ".".join(path).replace(f".{_LIST}", _LIST)
    return f"'{joined}'" if len(path) > 1 else f"'{joined}' at the top"


@cache
def _places() -> dict[str, list[_Path]]:
    """Every key of a distillation job's spec, and its paths, those that are less deep first."""
    schema = JobSpec.model_json_schema()
    found: dict[str, list[_Path]] = {}
    for path in sorted(set(_walk(schema, schema.get("$defs", {}), ())), key=lambda path: (len(path), path)):
        found.setdefault(path[-1], []).append(path)
    return found


def _walk(schema: Any, defs: dict[str, Any], path: _Path) -> Iterator[_Path]:
    """Paths of all keys below; no object of a spec holds one of its own kind, so this ends."""
    if "$ref" in schema:
        yield from _walk(defs[schema["$ref"].rpartition("/")[2]], defs, path)
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *schema.get("allOf", ())):
        yield from _walk(part, defs, path)
    if isinstance(schema.get("items"), dict):
        yield from _walk(schema["items"], defs, (*path, _LIST))
    for key, value in schema.get("properties", {}).items():
        yield (*path, key)
        yield from _walk(value, defs, (*path, key))
    if path and path[-1] == "params":
        rows = DATASETS.values() if path[0] == "dataset" else (*MODELS.values(), TIMM)
        for row in rows:
            yield from ((*path, key) for key in (row.params.model_fields if row.params else ()))
