"""What a bucket does not forgive: no credentials, no bucket, no room, a server that is away or keeps no promises."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import httpx
import pytest

from jobs.artifacts import ArtifactStore, open_store, s3_client
from jobs.errors import StoreUnavailable
from jobs.settings import Settings, SettingsError
from kd_engine.schema.errors import DiskFullError
from tests.s3 import S3Server, Wire, known
from tests.stores import content

KEY = "job_1/1/a"


def settings_of(tmp_path: Path, url: str) -> Settings:
    return Settings(home=tmp_path / "home", artifacts_url=url)


@contextmanager
def answering(status: int, code: str = "", header: tuple[str, str] = ("X", "x")) -> Iterator[str]:
    """A server that has one answer to everything."""
    body = f"<Error><Code>{code}</Code><Message>because</Message></Error>".encode()

    class Handler(BaseHTTPRequestHandler):
        protocol_version: ClassVar[str] = "HTTP/1.1"

        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            self.send_response(status)
            self.send_header(*header)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _answer

        def log_message(self, *_: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.mark.parametrize("url", [
    "", "bucket", "http://host/bucket", "s3://", "s3:///x", "s3://b", "s3://bucket/../x", "s3://bucket/.hidden",
    "s3://key:secret@bucket", "s3://bucket?x", "s3://bucket//x",
])  # fmt: skip
def test_a_url_that_names_no_bucket(tmp_path: Path, url: str) -> None:
    with pytest.raises(SettingsError, match=r"^KD_ARTIFACTS_URL: expected s3://BUCKET or s3://BUCKET/PREFIX") as caught:
        settings_of(tmp_path, url)
    assert "secret" not in str(caught.value).replace("AWS_SECRET", "")


@pytest.mark.parametrize("url", ["s3://bucket", "s3://bucket/", "s3://my.bucket-1/a/b_c.d/"])
def test_a_url_that_names_one(tmp_path: Path, url: str) -> None:
    assert settings_of(tmp_path, url).artifacts_url == url


def test_a_bucket_that_is_not_there(tmp_path: Path, s3_server: S3Server) -> None:
    with known(s3_server.url), pytest.raises(SettingsError) as caught:
        open_store(settings_of(tmp_path, "s3://nobodys/x"))
    assert str(caught.value) == (
        f"KD_ARTIFACTS_URL: s3://nobodys/x at {s3_server.url} is not there: make the bucket, or correct its name"
    )


@pytest.mark.parametrize(("status", "code", "words"), [
    (403, "InvalidAccessKeyId", "refuses these credentials: check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"),
    (401, "", "refuses these credentials"),
    (301, "", "lies in another region: set AWS_REGION"),
    (400, "AuthorizationHeaderMalformed: the region 'us-east-1' is wrong", "lies in another region"),
    (400, "InvalidRequest", "cannot be used: check AWS_ENDPOINT_URL, and that the server runs"),
])  # fmt: skip
def test_a_server_that_refuses(tmp_path: Path, status: int, code: str, words: str) -> None:
    with answering(status, code) as endpoint, known(endpoint), pytest.raises(SettingsError) as caught:
        open_store(settings_of(tmp_path, "s3://bucket"))
    assert str(caught.value).startswith(f"KD_ARTIFACTS_URL: s3://bucket at {endpoint} {words}")
    assert "of-the-store" not in str(caught.value)
    assert len(str(caught.value)) < 600


def test_a_server_that_overwrites_what_it_shall_keep(tmp_path: Path) -> None:
    words = "use a server that knows conditional writes"
    with answering(200, header=("ETag", '"x"')) as it, known(it), pytest.raises(SettingsError, match=words):
        open_store(settings_of(tmp_path, "s3://bucket"))


def test_a_server_that_does_not_run(tmp_path: Path, s3_server: S3Server) -> None:
    wire = Wire(s3_server.port)
    wire.cut()
    with known(wire.url), pytest.raises(SettingsError, match="check AWS_ENDPOINT_URL, and that the server runs"):
        open_store(settings_of(tmp_path, "s3://bucket"))


def test_without_credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of a machine are asked for at an address of its own; here there is nobody."""
    with answering(404) as nobody, known(nobody):
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.setenv("AWS_METADATA_ENDPOINT", nobody)
        with pytest.raises(SettingsError, match="without credentials: set AWS_ACCESS_KEY_ID"):
            open_store(settings_of(tmp_path, "s3://bucket"))


@pytest.mark.parametrize("endpoint", ["nonsense", "127.0.0.1:9000", "ftp://host", "http://"])
def test_an_address_that_is_none(tmp_path: Path, endpoint: str) -> None:
    with known(endpoint), pytest.raises(SettingsError, match=r"^AWS_ENDPOINT_URL is .*: expected a URL"):
        open_store(settings_of(tmp_path, "s3://bucket"))


def test_an_empty_variable_counts_as_left_out(
    tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "")
    with known(s3_server.url):
        open_store(settings_of(tmp_path, s3_server.new_bucket()))


def test_a_store_without_room(tmp_path: Path, s3_server: S3Server) -> None:
    with known(s3_server.url):
        url = s3_server.new_bucket()
        store = open_store(settings_of(tmp_path, url))
    with answering(507, "XMinioStorageFull") as full, known(full):
        store._bucket = s3_client.connect(url)  # type: ignore[attr-defined]
        for size in (10, 40 * 2**20):
            (tmp_path / "file").write_bytes(bytes(size))
            with pytest.raises(DiskFullError, match="no room in the artifact store"):
                store.put(tmp_path / "file", KEY)


def test_a_store_that_is_away_and_comes_back(
    tmp_path: Path, s3_server: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_client, "_RETRIES", 0)
    wire = Wire(s3_server.port)
    with known(wire.url):
        store = open_store(settings_of(tmp_path, s3_server.new_bucket()))
    source = tmp_path / "source"
    source.write_bytes(os.urandom(17 * 2**20))
    store.put(source, KEY)
    with store.parts.alone("up_1") as part:
        part.write(b"some")
        part.flush()
        wire.cut()
        part.write(b" more")
        with pytest.raises(StoreUnavailable):
            part.flush()
        for call in _calls(store, source):
            with pytest.raises(StoreUnavailable):
                call()
        wire.mend()
        part.flush()
    assert store.parts.arrived("up_1") == 9, "what could not be stored is stored later"
    store.ping()
    assert content(store, KEY) == source.read_bytes()
    wire.cut()


def _calls(store: ArtifactStore, source: Path) -> list[Callable[[], object]]:
    return [
        lambda: store.put(source, KEY), lambda: store.size(KEY), lambda: next(store.read(KEY)),
        lambda: next(store.read(KEY, 0, 5)), lambda: store.open(KEY), lambda: store.delete(KEY),
        lambda: list(store.ages()), lambda: store.clear_unfinished(0), store.ping,
        lambda: store.fetch(KEY, "", source.with_name("fetched")), lambda: store.parts.arrived("up_1"),
        lambda: store.parts.drop("up_1"), lambda: store.parts.clear(0), store.parts.alone("up_2").__enter__,
        lambda: store.parts.assemble("up_1", "up_3/file"), lambda: store.parts.take_back("up_1", "up_3/file"),
    ]  # fmt: skip


def test_what_is_broken_off_is_taken_back(tmp_path: Path, s3_server: S3Server) -> None:
    """Parts that are neither a file nor removed would take room that nobody sees."""
    url = s3_server.new_bucket()
    with known(s3_server.url):
        store = open_store(settings_of(tmp_path, url))
    waiting = list[str]()

    def some() -> None:
        with store.writing(KEY) as file:
            for _ in range(40):
                file.write(bytes(2**20))
            waiting.append(_unfinished(s3_server, url))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        some()
    assert KEY in waiting[0]
    assert KEY not in _unfinished(s3_server, url)


def _unfinished(server: S3Server, url: str) -> str:
    bucket = url.removeprefix("s3://").partition("/")[0]
    return httpx.get(f"{server.url}/{bucket}?uploads", trust_env=False).text
