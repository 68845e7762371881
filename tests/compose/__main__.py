"""The compose file on a real Docker engine: `make compose-test`, or `python -m tests.compose [CASE ...] [--keep]`.

Walks docs/deploy.md in a fresh clone. Then builds the images, starts a stack of its own, and runs every case on it;
prints build times, image sizes, the time to start and the memory at rest. MNIST comes from KD_DATA_DIR where it is set,
or is downloaded by the worker. With cases: those alone, on a stack of their own.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from tests.compose.cases import CASES, data_for
from tests.compose.client import User
from tests.compose.engine import Failed, Stack, run, stack
from tests.compose.images import build, check_images, refuses
from tests.compose.rest import start
from tests.compose.walk import walk


def main(arguments: list[str] | None = None) -> int:
    """0 when every case passed and every accepted job ended once."""
    asked = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="distillery-compose-") as folder:
        try:
            if not asked.cases:
                _walk(Path(folder) / "clone")
            with stack(Path(folder) / "stack", keep=asked.keep) as made:
                return _campaign(made, asked.cases or list(CASES), Path(folder))
        except Failed as error:
            print(f"FAILED: {error}", flush=True)
            return 1


def _walk(folder: Path) -> None:
    began = time.monotonic()
    walk(folder)
    print(f"docs/deploy.md in a fresh clone, word by word: {time.monotonic() - began:.0f} s", flush=True)


def _campaign(made: Stack, cases: list[str], folder: Path) -> int:
    for line in (*build(made), *check_images(made), *refuses(made)):
        print(line, flush=True)
    source = os.environ.get("KD_DATA_DIR")
    data = data_for(folder / "data", Path(source) if source else None)
    if data is not None:
        made.set(KD_DATA=data)
    for line in start(made):
        print(line, flush=True)
    failures = [name for name in cases if not _passes(name, made)]
    for job_id in made.accepted:
        User(made).judge(job_id)
    print(f"{len(made.accepted)} jobs accepted; each ended once, with every file as listed", flush=True)
    return 1 if failures else 0


def _passes(name: str, made: Stack) -> bool:
    began, before = time.monotonic(), len(made.accepted)
    try:
        CASES[name](made)
        User(made).wait_succeeded(*made.accepted)
    except Failed as error:
        print(f"{name}: FAILED: {error}", flush=True)
        print(run("sh", "-c", "docker ps -a | head -20") + made.compose("logs", "--tail", "20"), flush=True)
        return False
    print(f"{name}: {len(made.accepted) - before} jobs, {time.monotonic() - began:.0f} s", flush=True)
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.compose", description=__doc__)
    parser.add_argument("cases", nargs="*", choices=[*CASES, []], metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--keep", action="store_true", help="leave the stack up, to look at it")
    return parser


if __name__ == "__main__":
    sys.exit(main())
