"""What several commands share: the client, options, and how their values are written."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distillery.client import Distillery

PATIENCE = 20.0  # seconds that a command tries for while the service is away
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "": 1}


def connect(options: argparse.Namespace, patience: float | None = None) -> Distillery:
    """The service that is meant. Imported here: `--help` needs none of it."""
    from distillery.client import Distillery

    return Distillery(options.url, patience=PATIENCE if patience is None else patience)


def verb(verbs: Any, name: str, run: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
    """A command of this name."""
    parser: argparse.ArgumentParser = verbs.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
    parser.set_defaults(run=run)
    return parser


def add_json(parser: argparse.ArgumentParser, *, quiet: bool = False) -> None:
    parser.add_argument("--json", action="store_true", help="JSON, an object a line")
    if quiet:
        parser.add_argument("-q", "--quiet", action="store_true", help="ids alone")


def add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--wait", type=duration, metavar="TIME", help="no longer than this, as 90s, 5m or 2h; then "
                        "the exit status is 6 and the job goes on")  # fmt: skip


def duration(text: str) -> float:
    """Seconds, of `90`, `90s`, `5m`, `2h` or `1d`."""
    written = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text)
    if written is None:
        raise argparse.ArgumentTypeError(f"'{text}' is no time; expected one like 90s, 5m or 2h")
    return float(written[1]) * _SECONDS[written[2]]


def pair(text: str) -> tuple[str, str]:
    """Of `KEY=VALUE`."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise argparse.ArgumentTypeError(f"'{text}' is not written as KEY=VALUE")
    return key, value


def settings(pairs: list[tuple[str, str]], *elsewhere: str) -> dict[str, str]:
    """The values of `--set`.

    Raises:
        ValueError: one is given elsewhere on the command line, or is the client's own business.
    """
    for key, _ in pairs:
        if key in (*elsewhere, "upload", "wait", "progress", "path"):
            raise ValueError(f"--set {key}: " + (f"use --{key}" if key in elsewhere else "is not yours to set"))
    return dict(pairs)


def change(spec: dict[str, Any], path: str, text: str) -> None:
    """Sets `training.epochs` (or `losses.0.weight`) of a spec; a value that is no JSON is a text.

    Raises:
        ValueError: there is nothing to set it in.
    """
    *parents, last = path.split(".")
    inner: Any = spec
    for parent in parents:
        if isinstance(inner, dict):
            if not isinstance(inner.get(parent), (dict, list)):  # a name in short form becomes an object: not guessed
                if parent in inner:
                    raise ValueError(f"--set {path}: '{parent}' is {json.dumps(inner[parent])}, which has no keys")
                inner[parent] = {}
            inner = inner[parent]
        else:
            inner = inner[_index(inner, parent, path)]
    try:
        value = json.loads(text)
    except ValueError:
        value = text
    if isinstance(inner, dict):
        inner[last] = value
    else:
        inner[_index(inner, last, path)] = value


def _index(inner: Any, key: str, path: str) -> int:
    if not isinstance(inner, list) or not key.isdigit() or int(key) >= len(inner):
        raise ValueError(f"--set {path}: there is no '{key}' to set it in")
    return int(key)
