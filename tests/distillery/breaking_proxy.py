"""A proxy on a loopback port that cuts connections: what a network does to a client in hours, within a test."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class BreakingProxy:
    """Passes bytes on to `port`; a connection is cut once so many have gone through it, as `budgets` say in turn.

    Attributes:
        budgets: of the next connections, as (bytes to the service, bytes back); those after them are let through.
        cut: how many were.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self.budgets: list[tuple[int, int]] = []
        self.cut = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._sockets: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._sockets):
            _cut(one)
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target))
            self._sockets += [client, server]
            to, back = self.budgets.pop(0) if self.budgets else (1 << 60, 1 << 60)
            for source, target, budget in ((client, server, to), (server, client, back)):
                thread = threading.Thread(target=self._pass, args=(source, target, budget))
                self._threads.append(thread)
                thread.start()

    def _pass(self, source: socket.socket, target: socket.socket, budget: int) -> None:
        with contextlib.suppress(OSError):
            while piece := source.recv(min(65536, budget)):
                target.sendall(piece)
                budget -= len(piece)
                if budget <= 0:
                    self.cut += 1
                    break
        _cut(source)
        _cut(target)


def _cut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


@contextmanager
def breaking_proxy(port: int) -> Iterator[BreakingProxy]:
    proxy = BreakingProxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
