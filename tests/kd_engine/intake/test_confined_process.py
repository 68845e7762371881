"""A reader in a process of its own: what becomes of its answers, its mistakes and its end."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from kd_engine.intake.confined_process import Confines, confined
from kd_engine.schema.errors import DataError
from tests.standalone.helpers import ROOT

_CONFINES = Confines(2**26, 60, "the file", "send another")


def _answers(kind: str, content: bytes = b"") -> Iterator[bytes]:
    return confined("tests.kd_engine.intake.test_confined_process:reader", {"kind": kind}, content, _CONFINES)


def reader(content: bytes, *, kind: str) -> Iterator[bytes]:
    """Runs in the process."""
    print("this is no answer")
    yield str(os.getpid()).encode()
    if kind == "refuses":
        raise DataError("it is no good.")
    if kind == "is wrong":
        raise KeyError("a mistake")
    if kind == "dies":
        os._exit(3)
    if kind == "eats":
        yield bytes(2**28)
    while kind == "never answers":
        pass
    while kind == "goes on":
        yield b"more"
    yield content


def test_answers_come_as_they_were_given() -> None:
    content = os.urandom(3_000_000)
    assert list(_answers("echoes", content))[1:] == [content]


@pytest.mark.parametrize(("kind", "error", "message"), [
    ("refuses", DataError, r"it is no good\."),
    ("dies", DataError, "the file takes more than 64 MiB of memory, or breaks its reader; send another"),
    ("eats", DataError, "the file takes more than 64 MiB of memory"),
    ("is wrong", RuntimeError, "KeyError: 'a mistake'"),
])  # fmt: skip
def test_what_goes_wrong_is_told(kind: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        list(_answers(kind))


def test_who_wants_no_more_ends_the_process() -> None:
    answers: Any = _answers("goes on")
    process = int(next(answers))
    assert Path(f"/proc/{process}").exists()
    answers.close()
    assert not Path(f"/proc/{process}").exists()


_KILLED = """
import os, signal
from tests.kd_engine.intake.test_confined_process import _answers
answers = _answers("never answers")
print(next(answers).decode(), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own way, which other systems do not have")
def test_it_does_not_outlive_who_was_killed_while_it_works() -> None:
    done = subprocess.run([sys.executable, "-c", _KILLED], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    with suppress(psutil.NoSuchProcess):
        reader_process = psutil.Process(int(done.stdout))
        try:
            reader_process.wait(timeout=30)
        except psutil.TimeoutExpired:
            reader_process.kill()
            raise
