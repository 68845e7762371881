"""Names of files and classes that come from elsewhere: one spelling for each, and an order that people expect."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable


def one_spelling(name: str) -> str:
    """Composed (NFC): macOS writes the u and the dots of a u umlaut apart, and both look the same."""
    return unicodedata.normalize("NFC", name)


def has_controls(name: str) -> bool:
    """Whether it holds a control character, or what is no text at all."""
    return any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name)


def in_order(names: Iterable[str]) -> list[str]:
    """Sorted; where all are numbers, as numbers: 2 before 10."""
    found = list(names)
    if all(name.isascii() and name.isdecimal() for name in found):
        return sorted(found, key=lambda name: (int(name), name))
    return sorted(found)
