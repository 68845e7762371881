"""Names looked up with a deadline. The operating system's look-up has none and cannot be called off, so that each has a
thread of its own, which is left behind where it takes too long: few of them, and few for any one owner.
"""

from __future__ import annotations

import socket
import threading
from collections import Counter
from concurrent.futures import Future


class NoAddress(Exception):
    """A name was not looked up; the text says why."""


class Lookups:
    """
    Args:
        at_once: threads that look names up, those included that were left behind.
        of_one: how many of them serve one owner.
    """

    def __init__(self, at_once: int = 64, of_one: int = 8) -> None:
        self._at_once, self._of_one = at_once, of_one
        self._lock = threading.Lock()
        self._under_way: Counter[str] = Counter()

    def addresses(self, host: str, port: int, whose: str, seconds: float) -> list[str]:
        """What a name means, each address once; raises NoAddress, at the latest after so many seconds."""
        self._begin(host, whose)
        answer: Future[list[str]] = Future()
        try:
            threading.Thread(target=self._ask, args=(host, port, whose, answer), name="lookup", daemon=True).start()
        except RuntimeError:  # no more threads
            self._end(whose)
            raise
        try:
            return answer.result(seconds)
        except TimeoutError:
            raise NoAddress(f"the name '{host}' could not be looked up within {seconds:.0f} s") from None
        except (OSError, UnicodeError) as error:
            raise NoAddress(f"the name '{host}' could not be looked up: {error}") from None

    def _begin(self, host: str, whose: str) -> None:
        with self._lock:
            if self._under_way[whose] >= self._of_one or self._under_way.total() >= self._at_once:
                raise NoAddress(f"the name '{host}' could not be looked up: others are still being looked up")
            self._under_way[whose] += 1

    def _end(self, whose: str) -> None:
        with self._lock:
            self._under_way[whose] -= 1
            if not self._under_way[whose]:
                del self._under_way[whose]

    def _ask(self, host: str, port: int, whose: str, answer: Future[list[str]]) -> None:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except Exception as error:
            self._end(whose)
            answer.set_exception(error)
        else:
            self._end(whose)
            answer.set_result(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
