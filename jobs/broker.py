"""The broker that the doorbell hangs on, by its URL alone: which ones there are, and what Celery is told of each.

    redis://:PASSWORD@HOST:6379/0                     Redis
    rediss://:PASSWORD@HOST:6379/0?ssl_ca_certs=PATH  Redis over TLS; the certificate is verified
    redis+socket://:PASSWORD@/PATH?virtual_host=0     Redis on a Unix socket
    amqp://USER:PASSWORD@HOST:5672/VHOST              RabbitMQ
    amqps://USER:PASSWORD@HOST:5671/VHOST?ssl_...     RabbitMQ over TLS; the certificate is verified

What TLS needs stands in the query, in the same words for both: `ssl_ca_certs` (a file; left out: what the machine
trusts), `ssl_certfile` and `ssl_keyfile` (our own certificate), `ssl_cert_reqs=none` (verify nothing).
"""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

_AMQP = ("amqp", "amqps")
_REDIS = ("redis", "rediss", "redis+socket")
_WITHIN = ("memory",)  # within this process: for tests
_TLS_KEYS = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs")
_CERT_REQS = {"required": ssl.CERT_REQUIRED, "none": ssl.CERT_NONE}
_CONNECT_SECONDS = 2.0


def check_url(url: str) -> str:
    """The URL, when it is one of a broker that can ring; raises ValueError, whose message shows no password."""
    parts = urlsplit(url)
    if parts.scheme not in (*_AMQP, *_REDIS, *_WITHIN):
        raise ValueError(
            f"'{parts.scheme or 'no scheme'}' is no broker; expected redis://, rediss:// (TLS), redis+socket:// "
            "(a Unix socket), amqp:// or amqps:// (TLS), the last two for RabbitMQ"
        )
    if parts.scheme == "redis+socket" and not parts.path.strip("/"):
        raise ValueError("a Unix socket needs its path: redis+socket:///run/redis.sock")
    tls = _tls(url)
    if tls and parts.scheme not in ("rediss", "amqps"):
        raise ValueError(f"{', '.join(tls)} are for rediss:// and amqps:// alone")
    unknown = [key for key in tls if key not in _TLS_KEYS]
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not known; expected {', '.join(_TLS_KEYS)}")
    if tls.pop("ssl_cert_reqs", "required") not in _CERT_REQS:
        raise ValueError("ssl_cert_reqs is neither 'required' nor 'none'")
    missing = [f"{key} ({path})" for key, path in tls.items() if not Path(path).is_file()]
    if missing:
        raise ValueError(f"there is no such file: {', '.join(missing)}")
    return url


def publishing(url: str, timeout_seconds: float) -> dict[str, Any]:
    """What Celery is told where it rings: no step may wait longer than the timeout.

    RabbitMQ has no answer to a message that we would wait for; a timeout for reading is not needed then, and what
    py-amqp calls one waits for ever anyway.
    """
    if _scheme(url) in _AMQP:
        options = {"write_timeout": timeout_seconds, "max_retries": 0}
    else:
        options = {"socket_timeout": timeout_seconds, "socket_connect_timeout": timeout_seconds, "max_retries": 0}
    return _reached(url) | {
        "broker_connection_timeout": timeout_seconds,
        "broker_connection_retry": False,
        "broker_connection_retry_on_startup": False,
        "broker_transport_options": options,
    }


def listening(url: str) -> dict[str, Any]:
    """What Celery is told where it is rung: it tries again for as long as it takes.

    No AMQP heartbeats: the thread that would answer them holds on to a ring while the worker is at work (job_loop.py),
    so it would be cut off each time. TCP's keep-alive, which py-amqp switches on, tells that the other side is gone.
    """
    options = {"socket_connect_timeout": _CONNECT_SECONDS, "socket_keepalive": True}
    return _reached(url) | {
        "broker_heartbeat": 0,
        "broker_connection_retry": True,
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {} if _scheme(url) in _AMQP else options,
    }


def _reached(url: str) -> dict[str, Any]:
    """The URL and its TLS, in each library's words. Left to itself, Celery would verify neither's certificate whole."""
    scheme, tls = _scheme(url), _tls(url)
    if scheme not in ("rediss", "amqps"):
        return {"broker_url": url}
    verify = _CERT_REQS[tls.pop("ssl_cert_reqs", "required")]
    if scheme == "rediss":
        return {"broker_url": _without_tls(url), "broker_use_ssl": {**tls, "ssl_cert_reqs": verify}}
    words: dict[str, Any] = {key.removeprefix("ssl_"): value for key, value in tls.items()}
    words["cert_reqs"] = verify
    if verify is ssl.CERT_REQUIRED:
        words["server_hostname"] = urlsplit(url).hostname  # the name that the certificate must be for
    return {"broker_url": _without_tls(url), "broker_use_ssl": words}


def _scheme(url: str) -> str:
    return urlsplit(url).scheme


def _tls(url: str) -> dict[str, str]:
    return {key: value for key, value in parse_qsl(urlsplit(url).query) if key.startswith("ssl_")}


def _without_tls(url: str) -> str:
    parts = urlsplit(url)
    rest = {key: value for key, value in parse_qsl(parts.query) if not key.startswith("ssl_")}
    return urlunsplit(parts._replace(query=urlencode(rest)))
