"""Writes the table of settings in `settings.md` from the class itself: `.venv/bin/python -m docs.settings_table`."""

from __future__ import annotations

from pathlib import Path

from pydantic.fields import FieldInfo

from jobs.settings import Settings, variable

PAGE = Path(__file__).with_name("settings.md")
BEGIN, END = "<!-- made by docs/settings_table.py -->\n", "<!-- end -->\n"


def table() -> str:
    """One row a setting, in the order of the class."""
    rows = [
        f"| `{variable(name)}` | {_default(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return "\n".join(["| Variable | Default | Meaning |", "|---|---|---|", *rows, ""])


def _default(field: FieldInfo) -> str:
    """As one would write it in the environment; empty where the description says what comes instead."""
    if field.default_factory is not None or field.default is None:
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


if __name__ == "__main__":
    head, _, tail = split(PAGE.read_text())
    PAGE.write_text(head + BEGIN + table() + END + tail)
