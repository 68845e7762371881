"""Which hosts and which pages' requests are answered, before anything else looks at them.

A browser sends requests for any page that its user happens to look at, and a page's owner may let the page's own name
lead to this machine (DNS rebinding). No page can choose what its browser says in Host, Origin and Sec-Fetch-*, and no
other client sends the latter two.
"""

from __future__ import annotations

from functools import lru_cache

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from api.http.errors import Problem
from api.middleware.auth import FREE
from jobs.host_names import HostNames, host_name
from jobs.settings import Settings

_READING = frozenset({"GET", "HEAD"})
# not "same-site": a site is a host with all its ports, and another port is another program
_FROM_HERE = frozenset({None, b"none", b"same-origin"})
_METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
_EXPOSED = ("Content-Disposition", "Content-Range", "ETag", "Location", "Retry-After", "Upload-Offset")


class Origins:
    """ASGI middleware.

    Without keys: requests for loopback names and KD_ALLOWED_HOSTS, of no page but this service's own and those of
    KD_ALLOWED_ORIGINS. With keys, which no page has unless its user gave it one: any, or KD_ALLOWED_HOSTS alone.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app = app
        self._keyless = not settings.api_keys
        names = HostNames(settings.allowed_hosts, loopback=self._keyless)
        # most requests are for the same few, and an address takes longer to read than all else here
        self._knows = lru_cache(maxsize=256)(lambda host: _is_for(host, names))
        self._checks_host = self._keyless or bool(settings.allowed_hosts)
        self._listed = frozenset(origin.encode() for origin in settings.allowed_origins)
        self._cors = CORSMiddleware(
            app,
            allow_origins=settings.allowed_origins,
            allow_methods=_METHODS,
            allow_headers=["*"],
            allow_private_network=True,  # a listed page may lie on the public network
            expose_headers=_EXPOSED,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not (self._checks_host or self._listed):
            await self._app(scope, receive, send)
            return
        said: dict[bytes, bytes] = {}
        for name, value in scope["headers"]:
            # twice the same header is one that fits nothing
            said[name] = said[name] + b"," + value if name in said else value
        try:
            self._check(scope, said)
        except Problem as problem:
            await problem.response()(scope, receive, send)
            return
        # a preflight of a page that is not listed is a request like any other
        is_cors = self._listed and (scope["method"] != "OPTIONS" or said.get(b"origin") in self._listed)
        await (self._cors if is_cors else self._app)(scope, receive, send)

    def _check(self, scope: Scope, said: dict[bytes, bytes]) -> None:
        host = said.get(b"host", b"").strip(b" \t")
        if self._checks_host and scope["path"] not in FREE and not self._knows(host):
            raise self._wrong_host(host)
        if not self._keyless:
            return
        origin = said.get(b"origin")
        if origin in self._listed:
            return
        if origin is not None and not _is_own(origin, host):
            raise _wrong_page(f"of the origin '{origin.decode('latin-1')}'")
        if said.get(b"sec-fetch-site") not in _FROM_HERE and not _is_link(scope, said):
            raise _wrong_page("of another site")

    def _wrong_host(self, host: bytes) -> Problem:
        asked = f"The request is for the host '{host.decode('latin-1')}'" if host else "The request names no host"
        if self._keyless:
            return Problem(
                "host_not_allowed",
                f"{asked}; without API keys this service is for its own machine alone. Use http://127.0.0.1 or "
                "http://localhost with its port, or put the name into KD_ALLOWED_HOSTS.",
            )
        return Problem("host_not_allowed", f"{asked}; this service answers to those in KD_ALLOWED_HOSTS alone.")


def _is_for(host: bytes, names: HostNames) -> bool:
    name = host_name(host.decode("latin-1"))
    return name is not None and name in names


def _is_own(origin: bytes, host: bytes) -> bool:
    """Whether the page comes from where the request goes; https, where a proxy speaks it for this service."""
    scheme, _, place = origin.lower().partition(b"://")
    return scheme in {b"http", b"https"} and place == host.lower()


def _is_link(scope: Scope, said: dict[bytes, bytes]) -> bool:
    """Whether the user follows a link from elsewhere: nothing is done, and no page but the new one sees the answer."""
    return (
        scope["method"] in _READING
        and said.get(b"sec-fetch-mode") == b"navigate"
        and said.get(b"sec-fetch-dest") == b"document"
    )


def _wrong_page(which: str) -> Problem:
    return Problem(
        "origin_not_allowed",
        f"The request comes from a page {which}; without API keys this service answers its own pages and programs "
        "alone. If you trust that page, put its origin into KD_ALLOWED_ORIGINS.",
    )
