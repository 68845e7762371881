"""`distillery catalog`: what a spec may name."""

from __future__ import annotations

import argparse
import json
from typing import Any

from distillery.cli.options import add_json, connect, verb


def add_to(commands: Any) -> None:
    catalog = verb(commands, "catalog", show_catalog, "list what a spec may name")
    catalog.add_argument("section", metavar="SECTION", nargs="?",
                         help="models, datasets, losses, ... alone")  # fmt: skip
    catalog.add_argument("name", metavar="NAME", nargs="?", help="one entry, with the JSON schema of its parameters")
    add_json(catalog)


def show_catalog(options: argparse.Namespace) -> int:
    from distillery.cli.output import line, table

    with connect(options) as distillery:
        sections: dict[str, list[dict[str, Any]]] = distillery.catalog().model_dump(mode="json")
    if options.section is not None and options.section not in sections:
        raise ValueError(f"the catalogue has no '{options.section}'; it has: {', '.join(sections)}")
    rows = [
        (section, _name(entry), entry)
        for section, entries in sections.items()
        for entry in entries
        if options.section in (None, section) and options.name in (None, _name(entry))
    ]
    if options.name is not None and not rows:
        known = ", ".join(_name(entry) for entry in sections[options.section])
        raise ValueError(f"the catalogue has no '{options.name}' among its {options.section}; it has: {known}")
    if options.name is not None:
        line(json.dumps(rows[0][2], indent=None if options.json else 2))
    elif options.json:
        for section, _, entry in rows:
            line(json.dumps({"section": section, **entry}))
    else:
        table(("SECTION", "NAME", "WHAT IT IS"), ((section, name, _summary(entry)) for section, name, entry in rows))
    return 0


def _name(entry: dict[str, Any]) -> str:
    return str(entry.get("name") or entry.get("kind"))


def _summary(entry: dict[str, Any]) -> str:
    return str(entry.get("summary") or entry.get("description") or "").partition("\n")[0]
