"""All connections of the server: no more than it has descriptors for, and those that ask for nothing go first."""

from __future__ import annotations

import logging
from collections import OrderedDict

from api.server.limits import Limits
from api.server.protocol import BoundedProtocol

log = logging.getLogger(__name__)


class Connections:
    """For the event loop's thread.

    Args:
        most: how many may be open; one more takes the place of whichever has waited longest without a whole request,
            and is turned away where all others have one.
    """

    def __init__(self, most: int, limits: Limits | None = None) -> None:
        self.most, self.limits = most, limits or Limits()
        self._told = False
        self._open: set[BoundedProtocol] = set()
        self._waiting: OrderedDict[BoundedProtocol, None] = OrderedDict()  # who has waited longest is first

    def came(self, connection: BoundedProtocol) -> None:
        """A new one. It may be turned away."""
        full = len(self._open) >= self.most
        self._open.add(connection)
        self._waiting[connection] = None
        if not full:
            return
        if not self._told:  # once, not for each
            log.warning("%d connections are open, the most; those that ask for nothing make room", self.most)
            self._told = True
        oldest = next(iter(self._waiting))
        if oldest is connection:
            connection.turn_away()
        else:
            self._evict(oldest)

    def left(self, connection: BoundedProtocol) -> None:
        """It was closed."""
        self._open.discard(connection)
        self._waiting.pop(connection, None)

    def waits(self, connection: BoundedProtocol) -> None:
        """It has no request under way, or the head of one."""
        if connection in self._open:
            self._waiting[connection] = None
            self._waiting.move_to_end(connection)

    def asks(self, connection: BoundedProtocol) -> None:
        """The head of its request is complete."""
        self._waiting.pop(connection, None)

    def check(self, now: float) -> None:
        """Closes what takes too long, and the oldest heads where all together are too large."""
        if len(self._open) < self.most // 2:
            self._told = False
        for connection in tuple(self._open):
            connection.check(now)
        with_heads = [connection for connection in self._waiting if connection.head_bytes]
        held = sum(connection.head_bytes for connection in with_heads)
        for connection in with_heads:
            if held <= self.limits.all_heads_bytes:
                break
            held -= connection.head_bytes
            self._evict(connection)

    def _evict(self, connection: BoundedProtocol) -> None:
        self.left(connection)
        connection.evict()
