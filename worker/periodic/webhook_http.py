"""One HTTP POST of a webhook to an address that a stranger chose: nothing private is reached, and it ends in time.

The address is judged where the connection is made, and the very address that was judged is connected to: a name that
means something else a moment later (DNS rebinding) gains nothing. No redirect is followed, no proxy is asked, and of
the answer the status alone is read.
"""

from __future__ import annotations

import ipaddress
import ssl
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpcore

from worker.periodic.name_lookups import NoAddress

LookUp = Callable[[str, int, float], list[str]]
"""What a name means, for a port, within so many seconds; raises NoAddress."""

# Ten times the head of an ordinary answer; more comes from one who never means to end it.
_MOST_BYTES = 2**16
# For protocols alone, which Python before 3.11.10 takes for public.
_PROTOCOLS = ipaddress.ip_network("192.0.0.0/24")


class NotDelivered(Exception):
    """The message could not be handed over; the text says why.

    Attributes:
        final: trying again is of no use.
    """

    def __init__(self, why: str, *, final: bool = False) -> None:
        super().__init__(why)
        self.final = final


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, timeout_seconds: float, private: bool, look_up: LookUp
) -> int:
    """Sends `body` and returns the status of the answer.

    Args:
        timeout_seconds: for all of it, from the look-up of the name to the answer's status.
        private: whether addresses that are not public may be reached.

    Raises:
        NotDelivered: nobody answered, or the address is refused.
    """
    backend = _Guarded(time.monotonic() + timeout_seconds, private, look_up)
    # TLS: the machine's own list of authorities, verified against the name in the URL
    pool = httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context(), max_connections=1, retries=0, network_backend=backend
    )
    limits = {"timeout": dict.fromkeys(("connect", "read", "write", "pool"), timeout_seconds)}
    try:
        with pool, pool.stream("POST", url, headers=list(headers.items()), content=body, extensions=limits) as answer:
            return answer.status
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError, ssl.SSLError) as error:
        raise NotDelivered(f"{type(error).__name__}: {error}".rstrip(": ")) from error


class _Guarded(httpcore.NetworkBackend):
    """Connects to public addresses alone, and to none after the deadline."""

    def __init__(self, deadline: float, private: bool, look_up: LookUp) -> None:
        self._deadline, self._private, self._look_up = deadline, private, look_up
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            addresses = self._look_up(host, port, seconds_left(self._deadline))
        except NoAddress as unknown:
            raise NotDelivered(str(unknown)) from None
        # one that is not public among public ones is no accident
        if not self._private and any(not is_public(address) for address in addresses):
            raise NotDelivered(
                f"'{host}' is not an address on the public internet, and no other is reached from here "
                "(KD_WEBHOOK_PRIVATE allows it)",
                final=True,
            )
        failure: httpcore.ConnectError | httpcore.ConnectTimeout | None = None
        for address in addresses:
            try:
                left = seconds_left(self._deadline)
                stream = self._plain.connect_tcp(address, port, left, local_address, socket_options)
                return _Timed(stream, self._deadline)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        assert failure is not None, "a name that is known has addresses"
        raise failure


class _Timed(httpcore.NetworkStream):
    """A stream whose every step ends by the same deadline: one that sends a byte now and then gains no time, and one
    that sends without end gains no more than so many bytes.
    """

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream, self._deadline = stream, deadline
        self._left = _MOST_BYTES

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        if self._left <= 0:
            raise httpcore.RemoteProtocolError(f"{_MOST_BYTES:,} bytes came, and no status among them")
        content = self._stream.read(max_bytes, seconds_left(self._deadline))
        self._left -= len(content)
        return content

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, seconds_left(self._deadline))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        secure = self._stream.start_tls(ssl_context, server_hostname, seconds_left(self._deadline))
        return _Timed(secure, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def seconds_left(deadline: float) -> float:
    """Until the deadline; raises ConnectTimeout after it."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ConnectTimeout("it took too long")
    return left


def is_public(text: str) -> bool:
    """Whether an address lies on the public internet, whatever form it is written in."""
    address = ipaddress.ip_address(text)
    # An IPv4 address within an IPv6 one is what is reached in the end.
    if isinstance(address, ipaddress.IPv6Address):
        inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
        if any(one is not None and not is_public(str(one)) for one in inner):
            return False
    return address.is_global and not (
        address.is_private
        or address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_reserved
        or address.is_unspecified
        or address in _PROTOCOLS
    )
