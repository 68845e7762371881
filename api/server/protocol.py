"""HTTP/1.1 as uvicorn speaks it, with bounds: what a stranger sends is counted and timed before it is believed.

The parser holds a head until it is complete, at a cost that grows with the square of its size, and waits for ever. So
bytes are counted before the parser gets them, and `check`, called once a second, closes what takes too long.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, cast

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol
from uvicorn.server import ServerState

from api.http.errors import Problem

if TYPE_CHECKING:
    from api.server.connections import Connections


class _Refused(Exception):
    """Stops the parser; what is to be said stands in `BoundedProtocol._problem`."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection.

    Args:
        crowd: all connections, with their limits.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        crowd: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._crowd, self._limits = crowd, crowd.limits
        self.url = b""
        self._head_since: float | None = None  # while a head is awaited or incomplete, but for an idle connection
        self._head_bytes = 0
        self._heads = 0  # that were complete
        self._body_open = False
        self._body_bytes = 0
        self._framing_bytes = 0  # of a body in pieces, since its last byte
        self._pace: tuple[float, int] | None = None  # when this stretch of a body began, and at how many bytes
        self._left: tuple[float, int] | None = None  # the same of an answer: how many bytes were not taken yet
        self._deaf = False  # nothing more is read: it cannot be told where the next request would begin
        self._problem: Problem | None = None

    @property
    def head_bytes(self) -> int:
        """What has come of a head that is not complete."""
        return self._head_bytes

    # what arrives

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._head_since = self.loop.time()
        self._crowd.came(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._crowd.left(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        while data and not self._deaf and not self.transport.is_closing():
            if self._body_open:
                self._feed_body(data)
                return
            if self._head_since is None:
                self._head_begins()
            room = self._limits.head_bytes - self._head_bytes
            piece, data = (data, b"") if len(data) <= room else (data[:room], data[room:])
            self._head_bytes += len(piece)
            heads = self._heads
            super().data_received(piece)
            if self._heads == heads and self._head_bytes >= self._limits.head_bytes and self._problem is None:
                self._refuse(self._too_large())

    def _feed_body(self, data: bytes) -> None:
        before = self._body_bytes
        super().data_received(data)
        if self._body_open and self._body_bytes == before:
            self._framing_bytes += len(data)
            if self._framing_bytes > self._limits.head_bytes:
                self._refuse(Problem("header_too_large", "What stands around the body's pieces is over 64 KiB."))
        else:
            self._framing_bytes = 0

    def _head_begins(self) -> None:
        self._head_since, self._head_bytes = self.loop.time(), 0
        if self.cycle is None or self.cycle.response_complete:
            self._crowd.waits(self)

    def _too_large(self) -> Problem:
        most = f"{self._limits.head_bytes:,} bytes"
        if len(self.url) > self._limits.head_bytes // 2:
            return Problem("uri_too_long", f"The request's line and header fields are over {most}; shorten the URL.")
        return Problem("header_too_large", f"The request's line and header fields are over {most}, the most here.")

    # what the parser finds

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._head_since is None:  # right behind another one
            self._head_begins()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._body_open:
            return  # behind a body: it is no field of the request's head, and uvicorn would make it one
        if len(self.headers) >= self._limits.head_fields:
            most = self._limits.head_fields
            self._problem = Problem("header_too_large", f"The request has over {most} header fields, the most here.")
            raise _Refused
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._heads += 1
        self._head_since, self._head_bytes = None, 0
        self._body_open, self._body_bytes, self._framing_bytes, self._pace = True, 0, 0, None
        self._crowd.asks(self)
        if len(self.pipeline) > self._limits.pipelined:
            self._hear_no_more()

    def on_body(self, body: bytes) -> None:
        self._body_bytes += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._body_open = False
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._pace = None  # what is left of its body has a time of its own
        if self.transport.is_closing():
            return
        if self.pipeline:
            self.flow.pause_reading()  # what waits is answered before more is taken
        else:
            self._crowd.waits(self)

    # what ends it

    def check(self, now: float) -> None:
        """Closes the connection if it takes too long; called once a second."""
        closing = self.transport.is_closing()
        if closing or self.flow.write_paused:
            self._check_writing(now)
        else:
            self._left = None
        if closing or self._deaf:
            return
        if self._body_open:
            self._check_body(now)
        elif self._head_since is not None and now - self._head_since > self._limits.head_seconds:
            self._late_head()

    def _late_head(self) -> None:
        if self._head_bytes == 0 and self._heads == 0:
            self.transport.close()  # it has never said anything
            return
        seconds = self._limits.head_seconds
        self._refuse(Problem("request_timeout", f"The request's head was not complete within {seconds:g} seconds."))

    def _check_body(self, now: float) -> None:
        since, at = self._pace or (now, self._body_bytes)
        if self.cycle.response_complete:
            if now - since > self._limits.linger_seconds:
                self.transport.close()
        elif self.flow.read_paused or self.pipeline or self.cycle.waiting_for_100_continue:
            since, at = now, self._body_bytes  # it is this side that makes it wait
        elif now - since > self._limits.pace_seconds:
            if self._body_bytes - at < self._limits.pace_bytes:
                pace = f"{self._limits.pace_bytes:,} bytes in {self._limits.pace_seconds:g} seconds"
                self._refuse(Problem("request_timeout", f"The body came too slowly; the least is {pace}."))
            since, at = now, self._body_bytes
        self._pace = since, at

    def _check_writing(self, now: float) -> None:
        """Whoever asks takes the answer, too; also an end waits until all is taken."""
        left = self.transport.get_write_buffer_size()
        since, at = self._left or (now, left)
        if now - since > self._limits.pace_seconds:
            if at - left < self._limits.pace_bytes:
                self.transport.abort()
            since, at = now, left
        self._left = since, at

    def evict(self) -> None:
        """Makes room for another connection: this one has no request under way."""
        self.transport.abort()

    def turn_away(self) -> None:
        """Says that there is no room for it."""
        self._deaf = True
        self._say(Problem("too_many_connections", "As many connections are open as this server can hold."))

    def send_400_response(self, msg: str) -> None:
        problem = self._problem or Problem("malformed_request", "This is not HTTP/1.1 as RFC 9112 describes it.")
        self._refuse(problem)

    def _refuse(self, problem: Problem) -> None:
        """Answers what was just being read with a problem, where no other answer is under way, and reads no more."""
        cycle = self.cycle
        self._problem, self._deaf = problem, True
        if cycle is None or cycle.response_complete:
            self._say(problem)
        elif not self._body_open:
            self._hear_no_more()  # the requests before it are answered
        else:
            if not cycle.response_started and not self.pipeline:
                self._say(problem)
            self.transport.close()
            cycle.disconnected = True
            cycle.message_event.set()

    def _hear_no_more(self) -> None:
        self._deaf, self.cycle.keep_alive = True, False

    def _say(self, problem: Problem) -> None:
        answer = problem.response()
        head = [*self.server_state.default_headers, *answer.raw_headers, (b"connection", b"close")]
        lines = b"".join(name + b": " + value + b"\r\n" for name, value in head)
        self.transport.write(STATUS_LINE[problem.status] + lines + b"\r\n" + cast("bytes", answer.body))
        self.transport.close()
