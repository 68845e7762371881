"""Security headers: an answer is what it says it is, runs nothing, and is shown in nobody's frame."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOTHING = "default-src 'none'; frame-ancestors 'none'"
_POLICY = (b"content-security-policy", NOTHING.encode())
_OTHERS = (
    (b"x-content-type-options", b"nosniff"),
    # a page elsewhere may fetch an answer, where CORS allows it, but not embed it as a picture or a script
    (b"cross-origin-resource-policy", b"same-origin"),
    # addresses hold the ids of jobs
    (b"referrer-policy", b"same-origin"),
)
_OWN = frozenset(name for name, _ in (_POLICY, *_OTHERS))
ALWAYS = {name.decode(): value.decode() for name, value in (_POLICY, *_OTHERS)}


class SecurityHeaders:
    """ASGI middleware; what an answer says itself goes before."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = message.setdefault("headers", [])
                said = {name for name, _ in given} & _OWN
                message["headers"] = [*given, *(pair for pair in (_POLICY, *_OTHERS) if pair[0] not in said)]
            await send(message)

        await self._app(scope, receive, noted if scope["type"] == "http" else send)
