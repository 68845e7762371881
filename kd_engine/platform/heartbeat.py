"""Heartbeats: how a long stretch without events of its own shows that it gets on.

Whoever watches a run from outside takes every event as progress, and a run that reports nothing for long as hung. So
each loop that may take minutes says at each turn that it gets on, and one call that may take as long and cannot say
anything says so before. Signs are no part of what happened: they are written where the run is watched, and nobody else
hears them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from kd_engine.schema.events import Event, Working

_EVERY_SECONDS = 1.0
# What takes less needs no word: nobody loses patience so soon.
_WORTH_A_WORD_SECONDS = 60.0
_SLOWEST_BYTES_PER_SECOND = 5_000_000  # of a disk or a network folder that still works


class _Teller:
    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit, self._told = emit, time.monotonic()

    def due(self) -> bool:
        return time.monotonic() - self._told >= _EVERY_SECONDS

    def tell(self, sign: Working) -> None:
        self._told = time.monotonic()
        self._emit(sign)


_teller: ContextVar[_Teller | None] = ContextVar("teller", default=None)


@contextmanager
def signs_to(emit: Callable[[Event], None]) -> Iterator[None]:
    """Within the block, signs of this thread go to `emit`; elsewhere nobody hears them."""
    token = _teller.set(_Teller(emit))
    try:
        yield
    finally:
        _teller.reset(token)


def sign(doing: str) -> None:
    """One more turn of a loop is done. Told at most once a second; costs next to nothing otherwise."""
    teller = _teller.get()
    if teller is not None and teller.due():
        teller.tell(Working(doing=doing))


@contextmanager
def one_call(doing: str, *, seconds: float = 0.0, size: int = 0) -> Iterator[None]:
    """Around a call that says nothing until it is done.

    Args:
        seconds: it may take so long on a slow machine.
        size: bytes that it reads or writes; more time for these.
    """
    teller, patience = _teller.get(), seconds + size / _SLOWEST_BYTES_PER_SECOND
    if teller is None or patience < _WORTH_A_WORD_SECONDS:
        yield
        return
    teller.tell(Working(doing=doing, patience_seconds=patience))
    try:
        yield
    finally:
        teller.tell(Working(doing=f"through with {doing}"))
