"""Files that come in parts, to a folder and to an S3 server: one after the other, and nothing twice."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from jobs.artifacts import ArtifactStore, open_store, s3_parts
from jobs.errors import UploadBusy
from jobs.settings import Settings
from tests.stores import content, everything

UPLOAD, KEY = "up_1", "up_2/file"


def send(store: ArtifactStore, *pieces: bytes) -> int:
    """One part, in pieces; how much has arrived then."""
    with store.parts.alone(UPLOAD) as part:
        for piece in pieces:
            part.write(piece)
        part.flush()
        return part.arrived


def test_parts_become_a_file(store: ArtifactStore, settings: Settings) -> None:
    whole = os.urandom(20 * 2**20)
    assert store.parts.arrived(UPLOAD) == 0
    assert send(store, whole[:1]) == 1
    pieces = [whole[begin : begin + 2**20] for begin in range(1, len(whole), 2**20)]
    assert send(store, *pieces) == len(whole)
    assert store.parts.arrived(UPLOAD) == len(whole)
    with store.parts.alone(UPLOAD):
        assert store.parts.assemble(UPLOAD, KEY) == (len(whole), hashlib.sha256(whole).hexdigest())
    assert content(store, KEY) == whole
    store.parts.drop(UPLOAD)
    assert store.parts.arrived(UPLOAD) == 0
    assert everything(settings) == [KEY]


def test_what_was_assembled_in_vain_goes_on_in_parts(store: ArtifactStore, settings: Settings) -> None:
    send(store, b"one ")
    with store.parts.alone(UPLOAD):
        store.parts.assemble(UPLOAD, KEY)
        store.parts.take_back(UPLOAD, KEY)
    assert KEY not in everything(settings)
    assert send(store, b"two") == 7
    with store.parts.alone(UPLOAD):
        store.parts.assemble(UPLOAD, KEY)
    assert content(store, KEY) == b"one two"


def test_two_servers_do_not_add_to_a_file_at_once(store: ArtifactStore, settings: Settings) -> None:
    another = open_store(settings)
    with store.parts.alone(UPLOAD) as part:
        with pytest.raises(UploadBusy, match=UPLOAD):
            another.parts.alone(UPLOAD).__enter__()
        with another.parts.alone("up_9") as other:
            other.write(b"x")
        part.write(b"1234")
    assert send(another, b"5") == store.parts.arrived(UPLOAD)


def test_of_many_at_once_each_byte_is_of_one(store: ArtifactStore, settings: Settings) -> None:
    arrived = list[int]()

    def try_to_send(number: int) -> None:
        try:
            arrived.append(send(open_store(settings), bytes([number]) * 1000))
        except UploadBusy:
            return

    threads = [threading.Thread(target=try_to_send, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(arrived) == [1000 * (place + 1) for place in range(len(arrived))]
    assert store.parts.arrived(UPLOAD) == 1000 * len(arrived) > 0


def test_what_nobody_sends_more_of_goes(store: ArtifactStore, settings: Settings) -> None:
    send(store, b"x")
    with store.writing(KEY) as file:
        file.write(b"whole")
    assert store.parts.clear(3600) == []
    assert store.parts.clear(-5) == [UPLOAD]  # clocks of servers differ, and those of S3 tell whole seconds
    assert everything(settings) == [KEY]
    store.parts.drop(UPLOAD)


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", ".hidden", "a\0"])
def test_names_that_are_no_uploads(store: ArtifactStore, name: str) -> None:
    calls: list[Callable[[], object]] = [
        lambda: store.parts.arrived(name), lambda: store.parts.drop(name), store.parts.alone(name).__enter__,
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(ValueError, match="not a name"):
            call()


class TestOnS3:
    """What holds although a lock may outlive its owner, and an owner its lock."""

    @pytest.fixture
    def store_settings(self, bucket: dict[str, str]) -> dict[str, str]:
        return bucket

    def test_a_lock_of_a_server_that_was_killed_counts_for_a_while(
        self, store: ArtifactStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        killed = open_store(settings).parts.alone(UPLOAD)
        killed.__enter__()
        with pytest.raises(UploadBusy):
            send(store, b"x")
        monkeypatch.setattr(s3_parts, "_STALE_SECONDS", -5)
        assert send(store, b"x") == 1

    def test_who_was_thought_to_be_gone_writes_over_nothing(
        self, store: ArtifactStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(s3_parts, "_STALE_SECONDS", -5)
        with store.parts.alone(UPLOAD) as slow:
            assert send(open_store(settings), b"quick") == 5
            slow.write(b"slow")
            with pytest.raises(UploadBusy):
                slow.flush()
        with store.parts.alone(UPLOAD):
            store.parts.assemble(UPLOAD, KEY)
        assert content(store, KEY) == b"quick"

    def test_a_slow_part_keeps_its_lock(
        self, store: ArtifactStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(s3_parts, "_RENEW_SECONDS", -1)
        with store.parts.alone(UPLOAD) as part:
            open_store(settings).parts.drop(UPLOAD)  # the lock as well
            part.write(b"x")
            with pytest.raises(UploadBusy):
                open_store(settings).parts.alone(UPLOAD).__enter__()


def test_who_opened_a_file_in_parts_just_before_it_was_assembled_adds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jobs.artifacts import local_parts

    store = open_store(Settings(home=tmp_path))
    send(store, b"whole")
    real = local_parts._locked

    def late(file: object) -> bool:
        monkeypatch.setattr(local_parts, "_locked", real)
        with store.parts.alone(UPLOAD):
            store.parts.assemble(UPLOAD, KEY)
        return real(file)  # type: ignore[arg-type]

    monkeypatch.setattr(local_parts, "_locked", late)
    with pytest.raises(UploadBusy):
        send(store, b" and more")
    assert content(store, KEY) == b"whole"
