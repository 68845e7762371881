"""Names of hosts and origins: as settings list them, and as requests say them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[0-9a-z_.-]+)(:[0-9]{0,5})?", re.ASCII)
_ORIGIN = re.compile(r"[a-z][0-9a-z+.-]*://(\[[0-9a-f:.]+\]|[0-9a-z_.-]+)(:[0-9]{1,5})?", re.ASCII)
_DEFAULT_PORTS = {"http": 80, "https": 443}
ANY = "*"


def host_name(host: str) -> str | None:
    """The name in a Host header without its port, in lower case, an address in its one form; None where it has none."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return None
    name = found[1].removesuffix(".")
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        return None if name.startswith("[") or not name else name


def is_loopback(name: str) -> bool:
    """Whether this machine alone answers to a host's name or address."""
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False  # any other name may be any address


class HostNames:
    """Names that requests may be for.

    Args:
        patterns: as `host_pattern` returns them.
        loopback: whether the names of this machine's loopback are among them.
    """

    def __init__(self, patterns: Iterable[str], *, loopback: bool) -> None:
        listed = frozenset(patterns)
        self._any = ANY in listed
        self._names = listed
        self._ends = tuple(pattern[1:] for pattern in listed if pattern.startswith("*."))
        if loopback:
            self._ends += (".localhost",)  # nobody can register it
        self._loopback = loopback

    def __contains__(self, name: str) -> bool:
        if self._any or name in self._names or name.endswith(self._ends):
            return True
        return self._loopback and is_loopback(name)


def host_pattern(text: str) -> str:
    """An entry of a list of hosts, in its one form; raises ValueError."""
    if text == ANY:
        return ANY
    try:
        return str(ipaddress.ip_address(text.strip("[]")))
    except ValueError:
        stars, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    found = None if ":" in name else host_name(name)
    if found is None:
        raise ValueError(
            "expected the name or address of a host without scheme, port and path, such as kd.example.org; "
            "*.example.org for all below it; * for any"
        )
    return stars + found


def origin(text: str) -> str:
    """An entry of a list of origins, as browsers write it; raises ValueError."""
    lower = text.lower().removesuffix("/")
    if not _ORIGIN.fullmatch(lower):
        raise ValueError(
            "expected the origin of a page, scheme, host and port alone, such as https://dash.example.org or "
            "http://localhost:3000; each is named, there is no *"
        )
    parts = urlsplit(lower)
    port = parts.port  # raises ValueError above 65535
    return lower.rpartition(":")[0] if port is not None and port == _DEFAULT_PORTS.get(parts.scheme) else lower
