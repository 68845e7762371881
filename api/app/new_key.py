"""`python -m api new-key --owner vision --scopes read,submit`: makes an API key."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from pydantic import ValidationError

from jobs.auth import Scope, new_key


def run_command(arguments: Sequence[str]) -> int:
    """Prints a new key and the entry for KD_API_KEYS; the status to exit with."""
    parser = argparse.ArgumentParser(prog="python -m api", description="Without a command: serves the API.")
    command = parser.add_subparsers(metavar="COMMAND", required=True).add_parser("new-key", help="make an API key")
    command.add_argument("--owner", required=True, help="whose jobs it makes and sees")
    command.add_argument("--scopes", default="read,submit", help="of read, submit and admin, joined by commas")
    asked = parser.parse_args(arguments)
    try:
        key, entry = new_key(asked.owner, [Scope(scope.strip()) for scope in asked.scopes.split(",")])
    except ValidationError:
        sys.stderr.write(f"the owner {asked.owner!r} cannot be used: 1 to 100 letters, digits, '.', '_' and '-'\n")
        return 2
    except ValueError as error:
        sys.stderr.write(f"{error}; the scopes are {', '.join(Scope)}\n")
        return 2
    written = entry.model_dump_json(include={"owner", "scopes", "sha256"})
    sys.stdout.write(f"key, shown this once (Authorization: Bearer ...):\n{key}\n")
    sys.stdout.write(f"entry to add to the list in KD_API_KEYS or KD_API_KEYS_FILE:\n{written}\n")
    return 0
