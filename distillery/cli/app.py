"""The command `distillery`: which commands there are. Each is a file of this folder that says its options and runs."""

from __future__ import annotations

import argparse

from distillery.cli import serve

_COMMANDS = (serve,)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit status. argparse ends with 2 by itself where the command line is wrong."""
    parser = argparse.ArgumentParser(
        prog="distillery", description="Knowledge distillation as a service, from the shell."
    )
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add_to(commands)
    options = parser.parse_args(arguments)
    status: int = options.run(options)
    return status
