"""The containers of every compose file, each as compose puts it together from the files that name it."""

from __future__ import annotations

from typing import Any

import yaml

from tests.docs.blocks import ROOT

BASE = "docker-compose.yml"
_BESIDE = sorted(
    path for path in ROOT.glob("compose.*.yml") if path.name != "compose.override.yml"
)  # which is a user's
FILES = {path.name: yaml.safe_load(path.read_text()) for path in (ROOT / BASE, *_BESIDE)}


def containers() -> dict[str, dict[str, Any]]:
    """Every service, under `FILE:NAME`: what a file beside the first one says is laid over what the first one says."""
    return {f"{file}:{name}": _whole(file, name) for file, stack in FILES.items() for name in stack["services"]}


def _whole(file: str, name: str) -> dict[str, Any]:
    service = FILES[file]["services"][name]
    below: dict[str, Any] = FILES[BASE]["services"].get(name, {}) if file != BASE else {}
    if "extends" in service:
        below = _merged(below, _whole(service["extends"]["file"], service["extends"]["service"]))
    return _merged(below, service)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    result = below | above
    for key in below.keys() & above.keys():
        if isinstance(below[key], dict) and isinstance(above[key], dict):
            result[key] = _merged(below[key], above[key])
        elif isinstance(below[key], list) and isinstance(above[key], list):
            result[key] = below[key] + above[key]
    return result
