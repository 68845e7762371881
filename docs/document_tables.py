"""Writes the tables of `documents.md` from the models themselves: `make docs`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from kd_engine.schema.evaluation_report import EvaluationReport
from kd_engine.schema.manifest import Manifest
from kd_engine.schema.report import TrainingReport
from kd_engine.schema.sweep_report import SweepReport

PAGE = Path(__file__).with_name("documents.md")
BEGIN, END = "<!-- made by docs/document_tables.py -->\n", "<!-- end -->\n"
_ANY = "JsonValue"
DOCUMENTS = (TrainingReport, SweepReport, EvaluationReport, Manifest)


def tables() -> str:
    """A section a model: the documents first, then their parts by name."""
    schemas = [model.model_json_schema() for model in DOCUMENTS]
    parts = {name: schema for document in schemas for name, schema in document.pop("$defs").items()}
    return "\n".join([*map(_section, schemas), *(_section(parts[name]) for name in sorted(parts) if name != _ANY)])


def _section(schema: dict[str, Any]) -> str:
    rows = [
        f"| `{name}` | {_type(field)} | {field.get('description', '')} |"
        for name, field in schema["properties"].items()
    ]
    said = schema.get("description", "")
    return "\n".join(
        [
            f"### {schema['title']}",
            "",
            *([said, ""] if said else []),
            "| Field | Type | Meaning |",
            "|---|---|---|",
            *rows,
            "",
        ]
    )


def _type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return "any" if name == _ANY else f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        items = schema.get("prefixItems") or [schema["items"]]
        return f"list of {_type(items[0])}"
    if schema.get("type") == "object":
        inside = schema.get("additionalProperties")
        return f"object of {_type(inside)}" if isinstance(inside, dict) and inside else "object"
    return str(schema.get("type", "any"))


def write(page: Path) -> None:
    """Puts the tables as they are now into a page; what stands around them stays."""
    text = page.read_text()
    made = re.sub(f"{re.escape(BEGIN)}.*{re.escape(END)}", lambda _: BEGIN + tables() + END, text, flags=re.DOTALL)
    page.write_text(made)


if __name__ == "__main__":
    write(PAGE)
