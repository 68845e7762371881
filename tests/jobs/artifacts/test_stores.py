"""The store of files, on a folder and on an S3 server: whole or not there at all, and never outside its place."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jobs.artifacts import ArtifactStore, bring, media_type_of
from jobs.artifacts.copies import pour
from jobs.artifacts.local import LocalStore
from jobs.settings import Settings
from kd_engine.catalog import EXPORTERS
from kd_engine.schema.errors import DataError, DiskFullError
from tests.stores import content, everything, files_in

ROOT = Path(__file__).parents[3]
KEY = "job_01/3/student.safetensors"


@pytest.fixture
def local(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "store")


def a_file(tmp_path: Path, content: bytes = b"weights") -> Path:
    path = tmp_path / "source"
    path.write_bytes(content)
    return path


def put(store: ArtifactStore, key: str, content: bytes = b"weights") -> None:
    with store.writing(key) as file:
        file.write(content)


# 16 MiB is what is sent at once to a bucket, 8 MiB what is read at once of it
@pytest.mark.parametrize("size", [0, 1, 2**20, 2**20 + 1, 3 * 2**20 + 7, 16 * 2**20, 17 * 2**20 + 7])
def test_a_stored_file_is_the_same_file(store: ArtifactStore, settings: Settings, tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    source = a_file(tmp_path, content)
    assert store.put(source, KEY) == (size, hashlib.sha256(content).hexdigest())
    pieces = list(store.read(KEY))
    assert b"".join(pieces) == content
    assert all(0 < len(piece) <= 2**20 for piece in pieces)
    assert store.size(KEY) == size
    assert source.read_bytes() == content
    assert everything(settings) == [KEY]


@pytest.mark.parametrize(("start", "end"), [(0, 0), (0, 1), (5, 2**20 + 9), (8 * 2**20 - 1, 8 * 2**20 + 1), (7, None)])
def test_a_part_of_a_file(store: ArtifactStore, start: int, end: int | None) -> None:
    content = os.urandom(9 * 2**20)
    put(store, KEY, content)
    assert b"".join(store.read(KEY, start, end)) == content[start:end]


def test_an_open_file_is_read_here_and_there(store: ArtifactStore) -> None:
    content = os.urandom(3 * 2**20)
    put(store, KEY, content)
    with store.open(KEY) as file:
        assert file.seek(-5, os.SEEK_END) == len(content) - 5
        assert file.read() == content[-5:]
        file.seek(2**20 - 3)
        assert file.read(9) == content[2**20 - 3 : 2**20 + 6]
        file.seek(4, os.SEEK_CUR)
        assert (file.read(1), file.tell()) == (content[2**20 + 10 : 2**20 + 11], 2**20 + 11)
        file.seek(len(content) + 5)
        assert file.read() == b""


def test_a_file_that_is_not_written_to_its_end_leaves_nothing(store: ArtifactStore, settings: Settings) -> None:
    put(store, "job_1/1/a", b"earlier")

    def broken_off() -> Iterator[bytes]:
        yield from [bytes(2**20)] * 20
        raise KeyboardInterrupt

    for key in ("job_1/1/a", "job_2/1/b"):
        with pytest.raises(KeyboardInterrupt), store.writing(key) as file:
            pour(broken_off(), file)
    assert everything(settings) == ["job_1/1/a"]
    assert content(store, "job_1/1/a") == b"earlier"


def test_a_file_is_replaced_at_one_moment(store: ArtifactStore, tmp_path: Path) -> None:
    old, new = b"a" * 3_000_000, b"b" * 3_000_000
    store.put(a_file(tmp_path, old), KEY)
    source, seen, done = a_file(tmp_path, new), set[bytes](), threading.Event()

    def look() -> None:
        while not done.is_set():
            seen.add(content(store, KEY))

    reader = threading.Thread(target=look)
    reader.start()
    for _ in range(5):
        store.put(source, KEY)
    done.set()
    reader.join()
    assert seen <= {old, new}
    assert content(store, KEY) == new


def test_what_is_deleted_is_gone(store: ArtifactStore) -> None:
    put(store, KEY)
    store.delete(KEY)
    store.delete(KEY)
    for look in (store.size, store.open, lambda key: next(store.read(key))):
        with pytest.raises(FileNotFoundError, match=f"no file '{KEY}'"):
            look(KEY)


def test_a_file_is_fetched_once(store: ArtifactStore, tmp_path: Path) -> None:
    put(store, KEY)
    sha256, target = hashlib.sha256(b"weights").hexdigest(), tmp_path / "cache" / "file"
    assert store.fetch(KEY, sha256, target).read_bytes() == b"weights"
    if target.exists():
        store.delete(KEY)
        assert store.fetch(KEY, sha256, target) == target
    else:
        assert tmp_path / "store" in store.fetch(KEY, sha256, target).parents
    store.delete(KEY)
    with pytest.raises(FileNotFoundError):
        store.fetch(KEY, sha256, tmp_path / "other")


def test_a_damaged_file_is_not_brought(store: ArtifactStore, tmp_path: Path) -> None:
    put(store, KEY, b"damaged")
    with pytest.raises(DataError, match=r"'student.safetensors' was damaged"):
        bring(store, KEY, hashlib.sha256(b"weights").hexdigest(), tmp_path / "copies" / "copy")
    assert files_in(tmp_path / "copies") == []


def test_ages(store: ArtifactStore, settings: Settings) -> None:
    for key in ("job_1/1/a", "up_2/file"):
        put(store, key)
    with store.parts.alone("up_3") as part:
        part.write(b"on its way")
        part.flush()
    ages = dict(store.ages())
    assert set(ages) == {"job_1/1/a", "up_2/file"}
    assert all(-2 < age < 60 for age in ages.values())
    store.clear_unfinished(0)
    store.ping()
    assert len(everything(settings)) == 3


def test_a_source_that_is_missing_leaves_nothing(store: ArtifactStore, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        store.put(tmp_path / "none", KEY)
    assert everything(settings) == []


KEYS = [
    *("", "/", "/etc/passwd", "..", "../x", "a/../../x", "a/..", "a//b", "a/", "./a", "a/./b", ".hidden", "a/.b"),
    *("a\0b", "a\\..\\b", "..%2fx", "a b", "a\n", "ü", "~", "-/../x", "C:\\x"),
]


def test_a_key_that_we_did_not_make_is_refused(store: ArtifactStore, settings: Settings, tmp_path: Path) -> None:
    source = a_file(tmp_path)
    for key in KEYS:
        for act in (store.open, store.size, store.delete, lambda key: store.put(source, key),
                    lambda key: next(store.read(key)), lambda key: store.fetch(key, "", tmp_path / "x")):  # fmt: skip
            with pytest.raises(ValueError, match="not a key"):
                act(key)
    assert everything(settings) == []
    assert files_in(tmp_path) == ["source"]


def test_a_file_that_is_open_outlives_its_deletion(local: LocalStore) -> None:
    put(local, KEY)
    with local.open(KEY) as file:
        local.delete(KEY)
        assert file.read() == b"weights"


def test_deleting_takes_empty_folders_along_but_not_the_store(local: LocalStore, tmp_path: Path) -> None:
    put(local, "job_1/1/a")
    put(local, "job_1/2/b")
    local.delete("job_1/1/a")
    assert not (tmp_path / "store/job_1/1").exists()
    assert files_in(tmp_path / "store") == ["job_1/2/b"]
    local.delete("job_1/2/b")
    local.delete("job_1/2/b")
    local.delete("job_9/2/never/was")
    assert list((tmp_path / "store").iterdir()) == []


@given(st.text(alphabet="ab./\\%2f\0~-_", max_size=12))
def test_no_key_leads_out_of_the_store(key: str) -> None:
    root = Path("/nowhere/store")
    try:
        path = LocalStore(root).path(key)
    except ValueError:
        return
    assert Path(os.path.normpath(path)).is_relative_to(root)
    assert Path(os.path.normpath(path)) != root


def test_a_link_that_leads_out_of_the_store_is_not_followed(local: LocalStore, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("secret")
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "job_1").symlink_to(outside)
    with pytest.raises(ValueError, match="not a key"):
        local.open("job_1/secret")


# In a process of its own, for the limit cannot be taken back. The kernel cuts the write short in the middle of the
# file, as on a full disk; Python ignores SIGXFSZ, so the write fails with EFBIG.
FULL = f"""
import json, resource, sys
from pathlib import Path
from jobs.artifacts.copies import pour
from jobs.artifacts.local import LocalStore
from kd_engine.schema.errors import DiskFullError
resource.setrlimit(resource.RLIMIT_FSIZE, ({2**21}, {2**21}))
try:
    LocalStore(Path(sys.argv[1])).put(Path(sys.argv[2]), sys.argv[3])
except DiskFullError as error:
    print(json.dumps(str(error)))
"""


def test_without_room_nothing_is_left_and_the_earlier_file_is_intact(local: LocalStore, tmp_path: Path) -> None:
    local.put(a_file(tmp_path, b"earlier"), KEY)
    source = a_file(tmp_path, bytes(3 * 2**20))
    command = [sys.executable, "-c", FULL, str(tmp_path / "store"), str(source), KEY]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=60)
    assert "no room to store 'student.safetensors'" in json.loads(done.stdout)
    assert local.path(KEY).read_bytes() == b"earlier"
    assert files_in(tmp_path / "store") == [KEY]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_no_room_for_the_last_bytes(
    local: LocalStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def full(_: int) -> None:
        raise OSError(code, os.strerror(code))

    local.put(a_file(tmp_path, b"earlier"), KEY)
    source = a_file(tmp_path, b"later")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DiskFullError, match="free some space"):
        local.put(source, KEY)
    monkeypatch.undo()
    assert local.path(KEY).read_bytes() == b"earlier"
    assert files_in(tmp_path / "store") == [KEY]


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no file size limit on this system")
def test_another_error_of_the_disk_stays_what_it_is(local: LocalStore, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file where the folder should be")
    with pytest.raises(OSError, match=r"exists|Not a directory") as caught:
        local.put(a_file(tmp_path), KEY)
    assert not isinstance(caught.value, DiskFullError)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("report.json", "application/json"),
        ("metrics.csv", "text/csv; charset=utf-8"),
        ("curves.PNG", "image/png"),
        ("student.safetensors", "application/octet-stream"),
        *((row.file, row.media_type) for row in EXPORTERS.values()),
        ("events.out.tfevents.1", "application/octet-stream"),
        ("noextension", "application/octet-stream"),
        ("page.html", "application/octet-stream"),
    ],
)
def test_media_types(name: str, media_type: str) -> None:
    assert media_type_of(name) == media_type
