"""A reader in a process of its own, with so much memory and time: for formats whose library decides what a file costs.

The process is a fresh Python that imports the reader and no torch. It answers in frames: a byte for the kind, eight for
the length, and the content.
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from kd_engine.platform.parent_death import die_with_parent
from kd_engine.schema.errors import DataError

_ROOT = Path(__file__).parents[2]
_ANSWER, _END, _REFUSED, _TOO_MUCH, _BROKEN = b"a", b"e", b"r", b"m", b"b"
_HEAD_BYTES = 9
_LONGEST_ANSWER = 2**29


@dataclass(frozen=True)
class Confines:
    """
    Attributes:
        memory: bytes, beyond what Python and the libraries take.
        seconds: that an answer may take.
        what: is read, for messages.
        advice: what its sender can do where it takes more.
    """

    memory: int
    seconds: float
    what: str
    advice: str


def confined(reader: str, request: Mapping[str, Any], content: bytes, confines: Confines) -> Iterator[bytes]:
    """The reader's answers, as they come; it waits until each is taken. The process ends with the iterator.

    Args:
        reader: `module:function`, which takes `content` and the request, gives its answers one by one, and raises
            DataError where the file is to blame.
        request: JSON data.

    Raises:
        DataError: the reader's own, or that it took more memory or time than it may.
    """
    command = [sys.executable, "-P", "-m", __name__, reader, str(confines.memory)]
    try:
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            cwd="/", env=os.environ | {"PYTHONPATH": os.pathsep.join([str(_ROOT), os.environ.get("PYTHONPATH", "")])},
        ) as process:  # fmt: skip
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                for part in (json.dumps(request).encode(), content):
                    _write(process.stdin, _ANSWER, part)
                yield from _answers(process.stdout.fileno(), confines)
            finally:
                process.kill()
    except BrokenPipeError:  # it ended before it had heard all
        raise _needs_more(confines) from None


def _answers(source: int, confines: Confines) -> Iterator[bytes]:
    while True:
        deadline = time.monotonic() + confines.seconds
        head = _arrived(source, _HEAD_BYTES, deadline, confines)
        kind, length = head[:1], int.from_bytes(head[1:], "little")
        if length > _LONGEST_ANSWER:
            raise _needs_more(confines)
        content = _arrived(source, length, deadline, confines)
        if kind == _END:
            return
        if kind == _REFUSED:
            raise DataError(content.decode())
        if kind == _TOO_MUCH:
            raise _needs_more(confines)
        if kind == _BROKEN:
            raise RuntimeError(content.decode())
        yield content


def _arrived(source: int, count: int, deadline: float, confines: Confines) -> bytes:
    waiting = select.poll()
    waiting.register(source, select.POLLIN)
    content = bytearray()
    while len(content) < count:
        left = deadline - time.monotonic()
        if left <= 0 or not waiting.poll(1000 * left):
            raise DataError(f"{confines.what} takes more than {confines.seconds:g} seconds; {confines.advice}.")
        part = os.read(source, min(count - len(content), 2**20))
        if not part:  # its libraries end the process where they cannot go on
            raise _needs_more(confines)
        content += part
    return bytes(content)


def _needs_more(confines: Confines) -> DataError:
    return DataError(
        f"{confines.what} takes more than {confines.memory >> 20:,} MiB of memory, or breaks its reader; "
        f"{confines.advice}."
    )


def _write(file: IO[bytes], kind: bytes, content: bytes) -> None:
    file.write(kind + len(content).to_bytes(8, "little"))
    file.write(content)
    file.flush()


def _read(file: IO[bytes]) -> bytes:
    head = file.read(_HEAD_BYTES)
    return file.read(int.from_bytes(head[1:], "little"))


def _limit(memory: int) -> None:
    """Never the address space, which libraries reserve in gigabytes and do not use."""
    pages = int(Path("/proc/self/statm").read_text().split()[5]) if sys.platform == "linux" else 0
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    most = pages * resource.getpagesize() + memory
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_DATA, (most, most))


def _serve(reader: str, memory: int) -> None:
    die_with_parent()  # who is killed can end nobody, and a library that never answers hears of nothing
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no answer
    module, _, name = reader.partition(":")
    read = cast("Callable[..., Iterator[bytes]]", getattr(importlib.import_module(module), name))
    _limit(memory)
    try:
        request, content = json.loads(_read(sys.stdin.buffer)), _read(sys.stdin.buffer)
        for answer in read(content, **request):
            _write(answers, _ANSWER, answer)
        _write(answers, _END, b"")
    except DataError as error:
        _write(answers, _REFUSED, str(error).encode())
    except MemoryError:
        _write(answers, _TOO_MUCH, b"")
    except BrokenPipeError:  # nobody wants more
        return
    except Exception as error:  # a mistake of ours: told where the others are
        _write(answers, _BROKEN, f"{reader}: {type(error).__name__}: {error}".encode())


if __name__ == "__main__":
    _serve(sys.argv[1], int(sys.argv[2]))
