"""`distillery serve`: the whole service on this machine, where its code is."""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Any

_PACKAGES = ("api", "jobs", "standalone", "worker")  # of the service; a checkout and an image have them, no wheel does
_BESIDE = Path(__file__).resolve().parents[2]
# One package of each extra that the service is made of.
_EXTRAS = {"sqlalchemy": "service", "fastapi": "api", "standardwebhooks": "worker", "torch": "engine"}
_NOT_HERE = """\
distillery serve: the service is not part of the package `distillery`, which holds the client, this command and the
engine. Run it from a checkout of the project, where `make serve` installs what it needs and starts it, or as containers
(docs/deploy.md there). To use a service that runs elsewhere, set DISTILLERY_URL to its address.
"""


def add_to(commands: Any) -> None:
    parser: argparse.ArgumentParser = commands.add_parser(
        "serve", help="run the whole service here until Ctrl-C; from a checkout or an image",
        description="Runs the whole service on this machine until Ctrl-C: broker, API and workers. "
        "KD_PORT, KD_HOME, KD_DATA_DIR and KD_WORKERS shape it.",
    )  # fmt: skip
    parser.set_defaults(run=serve)


def serve(_: argparse.Namespace) -> int:
    """Runs the service; 2 where it is not installed."""
    if not all((_BESIDE / name / "__init__.py").is_file() for name in _PACKAGES):
        sys.stderr.write(_NOT_HERE)
        return 2
    extras = [extra for package, extra in _EXTRAS.items() if importlib.util.find_spec(package) is None]
    if extras:
        sys.stderr.write(
            f"distillery serve: packages are missing that the service needs. In {_BESIDE} run `make serve`, "
            f"which installs them, or: pip install '.[{','.join(extras)},standalone]'\n"
        )
        return 2
    if str(_BESIDE) not in sys.path:
        sys.path.insert(0, str(_BESIDE))
    # By name: this package is below the service, which is there or is not.
    status: int = importlib.import_module("standalone.__main__").main(["serve"])
    return status
