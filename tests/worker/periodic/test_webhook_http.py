"""A POST to where a stranger says: what is refused, what is verified, and that it ends."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.worker.hooks import listening, slow_names
from worker.periodic.name_lookups import Lookups
from worker.periodic.webhook_http import NotDelivered, is_public, post


def _post(url: str, *, private: bool = True, seconds: float = 10, body: bytes = b"{}") -> int:
    lookups = Lookups()
    return post(
        url, body, {"webhook-id": "msg_1"}, timeout_seconds=seconds, private=private,
        look_up=lambda host, port, left: lookups.addresses(host, port, "vision", left),
    )  # fmt: skip


def test_the_body_and_the_headers_arrive() -> None:
    with listening() as hook:
        assert _post(f"{hook.url}?a=b%20c", body=b'{"x": 1}') == 204
    [(path, headers, body)] = hook.received
    assert (path, body) == ("/hook?a=b%20c", b'{"x": 1}')
    assert headers["webhook-id"] == "msg_1"
    assert headers["host"] == hook.url.removeprefix("http://").removesuffix("/hook")


def test_a_redirect_is_not_followed() -> None:
    with listening() as target, listening(lambda before: (307, {"location": target.url})) as hook:
        assert _post(hook.url) == 307
    assert target.received == []


def test_no_proxy_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening() as hook, listening() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        assert _post(hook.url) == 204
    assert proxy.received == []


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.8.8.8", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
        "169.254.169.254", "100.64.0.1", "192.0.0.8", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1",
        "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "::127.0.0.1", "fe80::1", "fe80::1%1", "fc00::1", "fd12:3456::1", "ff02::1", "2001:db8::1", "64:ff9b::10.0.0.1",
        "64:ff9b:1::1", "2002:7f00:1::", "2002:a00:1::1", "2001:0:4136:e378:8000:63bf:80ff:fffe", "100::1",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["1.1.1.1", "93.184.216.34", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450::1"])
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0"])
def test_what_is_not_public_is_refused_before_anything_is_sent(host: str) -> None:
    """Some of these are ways to write 127.0.0.1 that a check of the text would miss."""
    with listening() as hook:
        port = hook.url.rpartition(":")[2]
        with pytest.raises(NotDelivered) as refusal:
            _post(f"http://{host}:{port}", private=False)
    assert refusal.value.final or "could not be looked up" in str(refusal.value)
    assert hook.received == []


def _resolving_to(*addresses: str) -> Any:
    """A resolver that gives one answer after the other for names; numbers stand for themselves."""
    answers, real = iter(addresses), socket.getaddrinfo

    def look_up(host: str, port: int, *rest: Any, **options: Any) -> Any:
        if not host.endswith(".example"):
            return real(host, port, *rest, **options)
        address = next(answers)
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        return [(family, socket.SOCK_STREAM, 6, "", (address, port))]

    return look_up


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """DNS rebinding: asked a second time, the name would mean this machine."""
    with listening() as hook:
        port = int(hook.url.rpartition(":")[2].partition("/")[0])
        connected: list[str] = []

        def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
            connected.append(address[0])
            raise ConnectionRefusedError("nobody is there")

        monkeypatch.setattr("socket.getaddrinfo", _resolving_to("93.184.216.34", "127.0.0.1"))
        monkeypatch.setattr("socket.create_connection", connect)
        with pytest.raises(NotDelivered, match="nobody is there"):
            _post(f"http://rebinding.example:{port}/hook", private=False)
    assert connected == ["93.184.216.34"]
    assert hook.received == []


def test_a_name_that_means_a_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.getaddrinfo", _resolving_to("10.0.0.7"))
    with pytest.raises(NotDelivered, match=r"'inner\.example' is not an address on the public internet") as refusal:
        _post("http://inner.example/hook", private=False)
    assert refusal.value.final


def test_a_name_that_nobody_knows_may_be_known_later() -> None:
    with pytest.raises(NotDelivered, match="could not be looked up") as failure:
        _post("http://no-such-host.invalid/hook", private=False)
    assert not failure.value.final


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(NotDelivered, match="ConnectError"):
            _post(f"http://127.0.0.1:{taken.getsockname()[1]}")


def test_a_name_that_nobody_answers_for_is_given_up_by_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    with slow_names(monkeypatch), pytest.raises(NotDelivered, match="could not be looked up within") as failure:
        _post("http://slow.example/hook", seconds=0.2)
    assert not failure.value.final


@contextmanager
def _serving(begin: bytes, more: bytes, every_seconds: float) -> Iterator[str]:
    """A server that begins an answer, and goes on with the same again and again, without end."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                try:
                    connection.sendall(begin)
                    while not done.wait(every_seconds):
                        connection.sendall(more)
                except OSError:
                    return

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            done.set()
            thread.join()


def test_who_sends_a_byte_now_and_then_gains_no_time() -> None:
    with _serving(b"HTTP/1.1 ", b"2", 0.1) as url, pytest.raises(NotDelivered, match="Timeout"):
        _post(url, seconds=0.5)


def test_who_talks_without_end_and_says_no_status_is_hung_up_on() -> None:
    chatter = b"HTTP/1.1 103 Early Hints\r\nlink: <x>\r\n\r\n"
    with _serving(chatter, 100 * chatter, 0) as url, pytest.raises(NotDelivered, match="65,536 bytes came"):
        _post(url, seconds=5)


def test_who_never_answers_is_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(NotDelivered, match="Timeout"):
        _post(f"http://127.0.0.1:{silent.getsockname()[1]}", seconds=0.3)


def test_a_body_without_an_end_is_not_read() -> None:
    """The status is all that counts."""
    with listening(lambda before: (200, {"content-length": str(2**40)})) as hook:
        assert _post(hook.url) == 200


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A key and a certificate for `hook.example` that signs itself, in one file."""
    file = tmp_path_factory.mktemp("tls") / "hook.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=hook.example", "-addext", "subjectAltName=DNS:hook.example", "-keyout", str(file),
         "-out", str(file.with_suffix(".crt"))],
        check=True, capture_output=True,
    )  # fmt: skip
    file.write_text(file.read_text() + file.with_suffix(".crt").read_text())
    return file


@pytest.mark.parametrize(
    ("name", "trusted", "delivered"),
    [("hook.example", True, True), ("other.example", True, False), ("hook.example", False, False)],
    ids=["right", "another name", "an authority that nobody knows"],
)
def test_a_certificate_is_verified_against_the_name(
    certificate: Path, monkeypatch: pytest.MonkeyPatch, name: str, trusted: bool, delivered: bool
) -> None:
    if trusted:
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_suffix(".crt")))
    monkeypatch.setattr("socket.getaddrinfo", _resolving_to("127.0.0.1"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with listening(tls=context) as hook:
        url = hook.url.replace("127.0.0.1", name)
        if delivered:
            assert _post(url) == 204
        else:
            with pytest.raises(NotDelivered, match="certificate verify failed"):
                _post(url)
    assert len(hook.received) == (1 if delivered else 0)


def test_a_deadline_that_has_passed_connects_to_nobody() -> None:
    with listening() as hook:
        with pytest.raises(NotDelivered, match="took too long"):
            _post(hook.url, seconds=-1)
        time.sleep(0.05)
    assert hook.received == []
