"""TLS for tests: certificates, and a door that speaks TLS for a server that does not."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import trustme


@dataclass(frozen=True)
class Certificates:
    """Files: of a server called `localhost`, of who signed it, and of somebody else who signed nothing."""

    certificate: Path
    key: Path
    authority: Path
    stranger: Path


def make_certificates(folder: Path) -> Certificates:
    authority, made = trustme.CA(), Certificates(*(folder / name for name in ("cert", "key", "ca", "stranger")))
    issued = authority.issue_cert("localhost")
    issued.cert_chain_pems[0].write_to_path(made.certificate)
    issued.private_key_pem.write_to_path(made.key)
    made.key.chmod(0o644)  # a server that runs under another account reads it too
    authority.cert_pem.write_to_path(made.authority)
    trustme.CA().cert_pem.write_to_path(made.stranger)
    return made


@contextmanager
def tls_door(unix_socket: Path, certificates: Certificates) -> Iterator[int]:
    """A loopback port that speaks TLS and passes all on to the server behind the socket."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.certificate, certificates.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_accept, args=(listener, context, unix_socket), daemon=True).start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)


def _accept(listener: socket.socket, context: ssl.SSLContext, behind: Path) -> None:
    with contextlib.suppress(OSError):  # closed: the test is over
        while True:
            plain, _ = listener.accept()
            threading.Thread(target=_serve, args=(plain, context, behind), daemon=True).start()


def _serve(plain: socket.socket, context: ssl.SSLContext, behind: Path) -> None:
    """Both directions in one thread: a TLS connection is not to be read and written by two."""
    with (
        contextlib.suppress(OSError),
        plain,
        socket.socket(socket.AF_UNIX) as server,
        context.wrap_socket(plain, server_side=True) as client,
    ):
        server.connect(str(behind))
        client.settimeout(0.01)
        server.settimeout(0.01)
        while _pass_on(client, server) and _pass_on(server, client):
            continue


def _pass_on(source: socket.socket, target: socket.socket) -> bool:
    """Whether the source is still open."""
    try:
        data = source.recv(65536)
    except TimeoutError:
        return True
    target.sendall(data)
    return bool(data)
