"""Writes the table of settings in `settings.md` from the class itself: `make docs`."""

from __future__ import annotations

from pathlib import Path

from pydantic.fields import FieldInfo

from jobs.environment import in_file
from jobs.settings import Settings, variable

PAGE = Path(__file__).with_name("settings.md")
BEGIN, END = "<!-- made by docs/settings_table.py -->\n", "<!-- end -->\n"


def table() -> str:
    """One row a setting, in the order of the class."""
    rows = [_row(variable(name), field) for name, field in Settings.model_fields.items()]
    return "\n".join(["| Variable | Default | Meaning |", "|---|---|---|", *rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    file = "" if field.repr else f" In a file: `{in_file(name)}`."
    return f"| `{name}` | {_default(field)} | {field.description}{file} |"


def _default(field: FieldInfo) -> str:
    """As one would write it in the environment; empty where the description says what comes instead."""
    if field.default_factory is not None or field.default in (None, ()):
        return ""
    value = field.default
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def split(page: str) -> tuple[str, str, str]:
    """What comes before the table, the table, and what comes after it."""
    before, _, rest = page.partition(BEGIN)
    between, _, after = rest.partition(END)
    return before, between, after


def write(page: Path) -> None:
    """Puts the table as it is now into a page; what stands around it stays."""
    head, _, tail = split(page.read_text())
    page.write_text(head + BEGIN + table() + END + tail)


if __name__ == "__main__":
    write(PAGE)
