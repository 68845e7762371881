"""A process that reads files and tells what came of it and what memory it took: `python -m ...measured`.

Each file is read in a fork of its own, as the peak of a process never falls; what is imported is imported once.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kd_engine.schema.errors import EngineError

_ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Outcome:
    """
    Attributes:
        error: what was raised, None where the file was read.
        refused: whether that was an error for the user.
        peak: bytes of memory that were added, in the process and in those that it started.
    """

    error: str | None
    refused: bool
    peak: int


class Measuring:
    """The process, from the outside."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self, reader: str, path: Path, out: Path) -> Outcome:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([reader, str(path), str(out)]) + "\n")
        self._process.stdin.flush()
        return Outcome(**json.loads(self._process.stdout.readline()))


@contextmanager
def measuring() -> Iterator[Measuring]:
    with subprocess.Popen(
        [sys.executable, "-m", "tests.kd_engine.intake.measured"],
        cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        yield Measuring(process)


def _serve() -> None:
    from tests.kd_engine.intake.readers import READERS

    for line in sys.stdin:
        name, path, out = json.loads(line)
        child = os.fork()
        if child == 0:
            try:
                print(json.dumps(_measured(READERS[name].read, Path(path), Path(out))), flush=True)
            finally:
                os._exit(0)
        os.waitpid(child, 0)
    os._exit(0)  # torch takes its time to say goodbye


def _measured(read, path: Path, out: Path) -> dict[str, object]:  # type: ignore[no-untyped-def]
    before = _peak(resource.RUSAGE_SELF)
    error, refused = None, False
    try:
        read(path, out)
    except EngineError as caught:
        error, refused = str(caught), True
    except BaseException as caught:
        error = f"{type(caught).__name__}: {caught}"
    peak = max(_peak(resource.RUSAGE_SELF) - before, _peak(resource.RUSAGE_CHILDREN))
    return {"error": error, "refused": refused, "peak": peak}


def _peak(whose: int) -> int:
    return resource.getrusage(whose).ru_maxrss * 1024


if __name__ == "__main__":
    _serve()
