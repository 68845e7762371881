"""The store of files: whole or not there at all, and never outside its folder."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.artifacts import LocalStore, media_type_of
from kd_engine.errors import DiskFullError

ROOT = Path(__file__).parents[2]
KEY = "job_01/3/student.safetensors"


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def a_file(tmp_path: Path, content: bytes = b"weights") -> Path:
    path = tmp_path / "source"
    path.write_bytes(content)
    return path


def files_in(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1, 3 * 2**20 + 7])
def test_a_stored_file_is_the_same_file(store: LocalStore, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    source = a_file(tmp_path, content)
    assert store.put(source, KEY) == (size, hashlib.sha256(content).hexdigest())
    with store.open(KEY) as file:
        assert file.read() == content
    assert store.path(KEY).read_bytes() == content
    assert source.read_bytes() == content
    assert files_in(tmp_path / "store") == [KEY]


def test_a_file_is_replaced_at_one_moment(store: LocalStore, tmp_path: Path) -> None:
    old, new = b"a" * 3_000_000, b"b" * 3_000_000
    store.put(a_file(tmp_path, old), KEY)
    source, seen, done = a_file(tmp_path, new), set[bytes](), threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(store.path(KEY).read_bytes())

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(5):
        store.put(source, KEY)
    done.set()
    reader.join()
    assert seen <= {old, new}
    assert store.path(KEY).read_bytes() == new


def test_a_file_that_is_open_outlives_its_deletion(store: LocalStore, tmp_path: Path) -> None:
    store.put(a_file(tmp_path), KEY)
    with store.open(KEY) as file:
        store.delete(KEY)
        assert file.read() == b"weights"
    with pytest.raises(FileNotFoundError):
        store.open(KEY)


def test_deleting_takes_empty_folders_along_but_not_the_store(store: LocalStore, tmp_path: Path) -> None:
    store.put(a_file(tmp_path), "job_1/1/a")
    store.put(a_file(tmp_path), "job_1/2/b")
    store.delete("job_1/1/a")
    assert not (tmp_path / "store/job_1/1").exists()
    assert files_in(tmp_path / "store") == ["job_1/2/b"]
    store.delete("job_1/2/b")
    store.delete("job_1/2/b")
    store.delete("job_9/2/never/was")
    assert list((tmp_path / "store").iterdir()) == []


def test_a_source_that_is_missing_leaves_nothing(store: LocalStore, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put(tmp_path / "none", KEY)
    assert files_in(tmp_path / "store") == []


@pytest.mark.parametrize(
    "key",
    [
        *("", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "a//b", "a/", "./a", "a/./b", ".hidden", "a/.b"),
        *("a\0b", "a\\..\\b", "..%2fx", "a b", "a\n", "ü", "~", "-/../x", "C:\\x"),
    ],
)
def test_a_key_that_we_did_not_make_is_refused(store: LocalStore, tmp_path: Path, key: str) -> None:
    source = a_file(tmp_path)
    for act in (store.open, store.path, store.delete, lambda key: store.put(source, key)):
        with pytest.raises(ValueError, match="not a key"):
            act(key)
    assert files_in(tmp_path) == ["source"]


@given(st.text(alphabet="ab./\\%2f\0~-_", max_size=12))
def test_no_key_leads_out_of_the_store(key: str) -> None:
    root = Path("/nowhere/store")
    try:
        path = LocalStore(root).path(key)
    except ValueError:
        return
    assert Path(os.path.normpath(path)).is_relative_to(root)
    assert Path(os.path.normpath(path)) != root


def test_a_link_that_leads_out_of_the_store_is_not_followed(store: LocalStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "job_1").symlink_to(outside)
    with pytest.raises(ValueError, match="not a key"):
        store.open("job_1/secret")


# In a process of its own, for the limit cannot be taken back. The kernel cuts the write short in the middle of the
# file, as on a full disk; Python ignores SIGXFSZ, so the write fails with EFBIG.
FULL = f"""
import json, resource, sys
from pathlib import Path
from jobs.artifacts import LocalStore
from kd_engine.errors import DiskFullError
resource.setrlimit(resource.RLIMIT_FSIZE, ({2**21}, {2**21}))
try:
    LocalStore(Path(sys.argv[1])).put(Path(sys.argv[2]), sys.argv[3])
except DiskFullError as error:
    print(json.dumps(str(error)))
"""


def test_without_room_nothing_is_left_and_the_earlier_file_is_intact(store: LocalStore, tmp_path: Path) -> None:
    store.put(a_file(tmp_path, b"earlier"), KEY)
    source = a_file(tmp_path, bytes(3 * 2**20))
    command = [sys.executable, "-c", FULL, str(tmp_path / "store"), str(source), KEY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    assert "no room to store 'student.safetensors'" in json.loads(done.stdout)
    assert store.path(KEY).read_bytes() == b"earlier"
    assert files_in(tmp_path / "store") == [KEY]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_for_the_last_bytes(
    store: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(_: int) -> None:
        raise OSError(code, os.strerror(code))

    store.put(a_file(tmp_path, b"earlier"), KEY)
    source = a_file(tmp_path, b"later")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="free some space"):
        store.put(source, KEY)
    monkeypatch.undo()
    assert store.path(KEY).read_bytes() == b"earlier"
    assert files_in(tmp_path / "store") == [KEY]


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no file size limit on this system")
def test_another_error_of_the_disk_stays_what_it_is(store: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"exists|Not a directory") as caught:
        store.put(a_file(tmp_path), KEY)
    assert not isinstance(caught.value, DiskFullError)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("report.json", "application/json"),
        ("metrics.csv", "text/csv; charset=utf-8"),
        ("curves.PNG", "image/png"),
        ("student.safetensors", "application/octet-stream"),
        ("events.out.tfevents.1", "application/octet-stream"),
        ("noextension", "application/octet-stream"),
        ("page.html", "application/octet-stream"),
    ],
)
def test_media_types(name: str, media_type: str) -> None:
    assert media_type_of(name) == media_type
