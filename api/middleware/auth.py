"""Authentication: which API key a request has, and what its owner may do, before anything else looks at the request."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import Problem
from jobs import auth
from jobs.auth import ANYBODY, Caller, Keyring

FREE = frozenset({"/healthz", "/readyz"})
_READING = frozenset({"GET", "HEAD"})
_CALLER = "distillery.caller"


class Authentication:
    """ASGI middleware: lets in whom the keyring knows, and notes who it is; everybody, where there are no keys."""

    def __init__(self, app: ASGIApp, keyring: Keyring) -> None:
        self._app, self._keyring = app, keyring

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            try:
                scope[_CALLER] = self._caller(scope)
            except Problem as problem:
                await problem.response()(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _caller(self, scope: Scope) -> Caller | None:
        if not self._keyring:
            return ANYBODY
        if scope["path"] in FREE:
            return None
        caller = self._keyring.find(_key(Headers(scope=scope).getlist("authorization")))
        if caller is None:
            message = "The API key is not known here, or was taken back; ask whoever runs this service for another."
            raise _unauthorized(message, ', error="invalid_token"')
        needed = auth.Scope.READ if scope["method"] in _READING else auth.Scope.SUBMIT
        if not caller.may(needed):
            message = f"This key has not the scope '{needed}', which {scope['method']} needs; use one that has."
            raise Problem("missing_scope", message)
        return caller


def caller_of(request: Request) -> Caller:
    """Who asks, as the door found out."""
    caller: Caller = request.scope[_CALLER]
    return caller


def _key(headers: list[str]) -> str:
    scheme, _, key = headers[0].strip().partition(" ") if len(headers) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not key:
        raise _unauthorized("This service asks for an API key; send it as 'Authorization: Bearer KEY'.", "")
    return key.strip()


def _unauthorized(message: str, more: str) -> Problem:
    return Problem("unauthorized", message, headers={"WWW-Authenticate": f'Bearer realm="distillery"{more}'})
