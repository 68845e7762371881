"""`python -m benchmarks.hostile PORT PATH IDLE HOSTILE [KEY]`: idle connections, and others that mean harm.

Says "ready" once all have been open, and goes on until its standard input ends: whatever the server closes is opened
again. PATH is that of an event stream and of a file below a job, as `/jobs/ID`. Those who ask for these send the KEY.
"""

from __future__ import annotations

import asyncio
import itertools
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

from api.server.limits import raise_descriptors

_HOST = b"Host: localhost\r\n"
_PAUSE_SECONDS = 1.0  # between two bytes, and before a connection is opened again
_PIECE = b"a" * 2**16
_AT_ONCE = 50  # connections that are being opened

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def idle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says nothing."""
    await reader.read()


async def half_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A header that grows by a byte a second."""
    writer.write(b"GET /healthz HTTP/1.1\r\n" + _HOST + b"X: ")
    await _drip(writer)


async def slow_body(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A spec of a megabyte, a byte a second."""
    kind = b"Content-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"
    writer.write(b"POST /jobs HTTP/1.1\r\n" + _HOST + kind)
    await _drip(writer)


async def giant_head(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """A header without an end, as fast as it is taken."""
    writer.write(b"GET /healthz HTTP/1.1\r\n" + _HOST + b"X: ")
    while not reader.at_eof():
        writer.write(_PIECE)
        await writer.drain()


def never_reads(path: str, key: str) -> Act:
    """Asks, and takes nothing of the answer."""
    known = f"Authorization: Bearer {key}\r\n".encode() if key else b""

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]
        writer.write(f"GET {path} HTTP/1.1\r\n".encode() + _HOST + known + b"\r\n")
        while not writer.transport.is_closing():
            await asyncio.sleep(_PAUSE_SECONDS)

    return act


async def _drip(writer: asyncio.StreamWriter) -> None:
    while True:
        await asyncio.sleep(_PAUSE_SECONDS)
        writer.write(b"1")
        await writer.drain()


async def _again_and_again(port: int, act: Act, opening: asyncio.Semaphore, opened: asyncio.Semaphore) -> None:
    first = True
    while True:
        with suppress(OSError):
            async with opening:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            if first:
                opened.release()
                first = False
            try:
                await act(reader, writer)
            finally:
                writer.transport.abort()
        await asyncio.sleep(_PAUSE_SECONDS)


async def _run(port: int, path: str, idle_count: int, hostile_count: int, key: str) -> None:
    opening, opened = asyncio.Semaphore(_AT_ONCE), asyncio.Semaphore(0)
    unread = [never_reads(f"{path}/{what}", key) for what in ("events", "artifacts/big.bin")]
    kinds = [half_head, slow_body, giant_head, *unread]
    acts = [idle] * idle_count + list(itertools.islice(itertools.cycle(kinds), hostile_count))
    tasks = [asyncio.create_task(_again_and_again(port, act, opening, opened)) for act in acts]
    for _ in acts:
        await opened.acquire()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


if __name__ == "__main__":
    raise_descriptors()
    asyncio.run(_run(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), "".join(sys.argv[5:])))
