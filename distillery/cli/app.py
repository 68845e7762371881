"""The command `distillery`: which commands there are, and what an error's exit status is.

Each command is a function of a file of this folder, which also says its options. Data goes to standard output, all else
to standard error.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys

from distillery.cli import catalog, datasets, follow, jobs, models, reports, serve

_GROUPS = (("jobs", "run, follow and end jobs", (follow, jobs)),
           ("datasets", "data sets of your own", (datasets,)),
           ("models", "networks of your own", (models,)))  # fmt: skip
_COMMANDS = (reports, catalog, serve)
_EPILOG = """\
DISTILLERY_URL is the address of the service (http://127.0.0.1:8000 unless set), DISTILLERY_API_KEY a key for it.
Exit status: 0 done, 1 failed, 2 wrong input, 3 cancelled, 4 not allowed, 5 not found, 6 not finished in time,
130 interrupted.
"""


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns its exit status. argparse ends with 2 by itself where the command line is wrong."""
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="distillery: %(message)s")
    try:
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # who read this has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        status = _status(error)
        if not status:
            raise
        return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="distillery", description="Knowledge distillation as a service, from the shell.", epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("--url", help="address of the service, in place of DISTILLERY_URL")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for name, text, modules in _GROUPS:
        verbs = commands.add_parser(name, help=text, description=text).add_subparsers(metavar="VERB", required=True)
        for module in modules:
            module.add_to(verbs)
    for module in _COMMANDS:
        module.add_to(commands)
    return parser


def _status(error: Exception) -> int:
    """Tells what went wrong; 0 where it is a mistake of this program."""
    from distillery.cli.output import tell, tell_error
    from distillery.errors import DistilleryError

    if isinstance(error, DistilleryError):
        return tell_error(error)
    if isinstance(error, (OSError, ValueError)) and str(error):  # files and options of the user's
        tell(f"distillery: {error}")
        wrong = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError, ValueError)
        return 2 if isinstance(error, wrong) else 1
    return 0
