"""Fair shares of streams, uploads and downloads: so many at once, and no owner takes all of them from the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import ExitStack, contextmanager

from anyio import CancelScope
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.http.errors import Problem


class FairShare:
    """For the event loop's thread.

    Args:
        most: how many there are.
        shared: whether more than one owner uses the service. One of them then holds no more than are left free: half
            of all when it is alone, a third when there are two, and one that comes later finds something.
        what: who takes them, in words.
        setting: the variable that says how many there are.
        code: of the problem when there is none.
    """

    def __init__(self, most: int, *, shared: bool, what: str, setting: str, code: str) -> None:
        self._most, self._shared, self._what, self._setting, self._code = most, shared, what, setting, code
        self._held: Counter[str] = Counter()
        self._taken = 0

    @property
    def taken(self) -> int:
        return self._taken

    @contextmanager
    def place(self, owner: str) -> Iterator[None]:
        """One of them, for the length of the block; raises Problem 503 when there is none for this owner."""
        free = self._most - self._taken
        if free <= 0:
            raise Problem(self._code, f"There are {self._most} {self._what}, the most ({self._setting}).")
        if self._shared and self._held[owner] >= free:
            held = f"{self._held[owner]} of {self._most} {self._what} are yours"
            raise Problem(self._code, f"{held}; what is left is for others ({self._setting}).")
        self._taken += 1
        self._held[owner] += 1
        try:
            yield
        finally:
            self._taken -= 1
            self._held[owner] -= 1
            if not self._held[owner]:
                del self._held[owner]


class FairShareResponse(StreamingResponse):
    """What is sent bit by bit, and holds a place of its caller's until all is sent. 503 when there is none.

    The place is taken when the answer begins, not in the endpoint, so that it is given back whatever becomes of the
    caller. The pieces are closed then too: a caller that goes away in the middle leaves no open file behind.
    """

    def __init__(
        self, pieces: AsyncGenerator[bytes], places: FairShare, owner: str, status: int = 200,
        headers: Mapping[str, str] | None = None, media_type: str | None = None,
    ) -> None:  # fmt: skip
        super().__init__(pieces, status, headers, media_type)
        self._pieces, self._places, self._owner = pieces, places, owner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with ExitStack() as place:
            try:
                place.enter_context(self._places.place(self._owner))
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
            try:
                await super().__call__(scope, receive, send)
            finally:
                with CancelScope(shield=True):
                    await self._pieces.aclose()
