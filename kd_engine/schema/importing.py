"""Catalogue rows name their code as `module:name`; this imports it."""

from __future__ import annotations

import importlib
from typing import Any


def load_object(path: str) -> Any:
    """The object behind `module:name`, as catalogue rows write it. Never call this with a name from a user."""
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)
