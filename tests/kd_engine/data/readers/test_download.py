"""Downloads, from a real server on the loopback interface."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kd_engine.data.readers import download
from kd_engine.data.readers.download import fetch
from kd_engine.schema.errors import DataError, DiskFullError
from tests.kd_engine.data.conftest import Answer

if TYPE_CHECKING:
    from tests.kd_engine.data.conftest import Mirror

StartMirror = Callable[..., "Mirror"]
CONTENT = bytes(range(256)) * 5000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "a" / "b" / "file.gz"


def left_over(target: Path) -> list[str]:
    return sorted(path.name for path in target.parent.iterdir()) if target.parent.exists() else []


def test_writes_the_whole_file_and_makes_its_folder(mirror: StartMirror, target: Path) -> None:
    fetch([mirror(file=CONTENT).url + "file"], target, MD5)

    assert target.read_bytes() == CONTENT
    assert left_over(target) == ["file.gz"]
    assert target.stat().st_mode & 0o777 == 0o644


def test_the_first_mirror_that_has_it_is_enough(mirror: StartMirror, target: Path) -> None:
    first, second = mirror(file=CONTENT), mirror(file=CONTENT)

    fetch([first.url + "file", second.url + "file"], target, MD5)

    assert (first.asked, second.asked) == (["/file"], [])


BAD_ANSWERS = {
    "not found": (Answer(status=404), "HTTP status 404 (Not Found)"),
    "server error": (Answer(b"oops", status=503), "HTTP status 503"),
    "wrong content": (Answer(b"<html>"), f"wrong checksum: md5 {hashlib.md5(b'<html>').hexdigest()}, expected {MD5}"),
    "cut off": (Answer(CONTENT[:700_000], announced=len(CONTENT)), "cut off after 700,000 of 1,280,000 bytes"),
    "empty": (Answer(), "wrong checksum"),
}


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_the_second_mirror_helps_out(mirror: StartMirror, target: Path, name: str) -> None:
    bad = mirror(file=BAD_ANSWERS[name][0])

    fetch([bad.url + "file", mirror(file=CONTENT).url + "file"], target, MD5)

    assert bad.asked == ["/file"]
    assert target.read_bytes() == CONTENT
    assert left_over(target) == ["file.gz"]


@pytest.mark.parametrize("name", BAD_ANSWERS)
def test_a_failure_names_the_mirror_and_why_and_leaves_nothing(mirror: StartMirror, target: Path, name: str) -> None:
    answer, reason = BAD_ANSWERS[name]
    url = mirror(file=answer).url + "file"

    with pytest.raises(DataError) as caught:
        fetch([url], target, MD5)

    assert f"file.gz could not be downloaded: {url}: {reason}" in str(caught.value)
    assert left_over(target) == []


def test_a_failure_leaves_what_was_there(mirror: StartMirror, target: Path) -> None:
    target.parent.mkdir(parents=True)
    target.write_bytes(b"older")

    with pytest.raises(DataError):
        fetch([mirror(file=b"wrong").url + "file"], target, MD5)

    assert target.read_bytes() == b"older"
    assert left_over(target) == ["file.gz"]


def test_all_mirrors_are_named(mirror: StartMirror, target: Path) -> None:
    urls = [mirror().url + "one", mirror(two=b"?").url + "two"]

    with pytest.raises(DataError) as caught:
        fetch(urls, target, MD5)

    assert all(url in str(caught.value) for url in urls)


def test_nobody_listens(target: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/file"

        with pytest.raises(DataError, match=r"no answer \(.*refused"):
            fetch([url], target, MD5)


@pytest.fixture
def raw_server() -> Iterator[Callable[[bytes], str]]:
    """Starts a server that answers one connection with these bytes and then stays silent until the test ends."""
    done = threading.Event()
    threads = []

    def start(answer: bytes) -> str:
        listener = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with listener, listener.accept()[0] as connection:
                connection.recv(4096)
                connection.sendall(answer)
                done.wait(10)

        thread = threading.Thread(target=serve)
        thread.start()
        threads.append(thread)
        return f"http://127.0.0.1:{listener.getsockname()[1]}/file"

    yield start
    done.set()
    for thread in threads:
        thread.join()


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"], ids=["before the answer", "in the middle"]
)
def test_a_mirror_that_falls_silent_is_given_up(
    raw_server: Callable[[bytes], str], target: Path, answer: bytes
) -> None:
    with pytest.raises(DataError, match="timed out"):
        fetch([raw_server(answer)], target, MD5, timeout=0.05)
    assert left_over(target) == []


def test_what_is_not_http(raw_server: Callable[[bytes], str], target: Path) -> None:
    with pytest.raises(DataError, match="not a proper HTTP answer"):
        fetch([raw_server(b"220 an FTP server\r\n\r\n")], target, MD5)


def test_a_mirror_that_does_not_stop_is_stopped(
    mirror: StartMirror, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "MAX_BYTES", 1_000_000)

    with pytest.raises(DataError, match="sent more than 1,000,000 bytes"):
        fetch([mirror(file=CONTENT).url + "file"], target, MD5)
    assert left_over(target) == []


def test_a_folder_that_cannot_be_written_to(mirror: StartMirror, tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file where a folder should be")
    first, second = mirror(file=CONTENT), mirror(file=CONTENT)

    with pytest.raises(DataError, match=r"nothing can be written to .*: point KD_DATA_DIR .* at a folder"):
        fetch([first.url + "file", second.url + "file"], tmp_path / "a" / "file", MD5)
    assert second.asked == []


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_no_fault_of_the_mirror(
    mirror: StartMirror, target: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def full(descriptor: int) -> Any:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "fsync", full)

    with pytest.raises(DiskFullError, match=r"no room to write .*file\.gz"):
        fetch([mirror(file=CONTENT).url + "file"], target, MD5)
    assert left_over(target) == []
