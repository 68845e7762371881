"""Archives from outside: what is plain is read, what is not is refused before a byte of it is used."""

from __future__ import annotations

import contextlib
import gzip
import io
import stat
import tarfile
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kd_engine.intake import archive as module
from kd_engine.intake.archive import Archive
from kd_engine.intake.arrays import load_arrays
from kd_engine.runs.check_dataset import of_names
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.archives import picture, tarred, zipped

FILES = {"a/one.txt": b"1" * 10, "a/b/two.txt": b"22", "three.txt": b""}


@pytest.mark.parametrize("mode", ["zip", "w", "w:gz", "w:bz2", "w:xz"])
def test_plain_files_are_listed_and_read(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "archive"
    is_tar = mode != "zip"
    (tarred(path, FILES, mode) if is_tar else zipped(path, FILES))
    archive = Archive(path, is_tar=is_tar)
    assert {member.name: member.size for member in archive.members} == {n: len(c) for n, c in FILES.items()}
    assert {member.name: content for member, content in archive.contents(archive.members)} == FILES
    [only] = archive.contents(archive.members[1:2])
    assert only == (archive.members[1], b"22")


def _zip_64(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in FILES.items():
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as file:
                file.write(content)


class _OneWay(io.RawIOBase):
    """Takes bytes and cannot go back: sizes then follow the content."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        return self._file.write(content)

    def close(self) -> None:
        self._file.close()
        super().close()


def _streamed(path: Path) -> None:
    with _OneWay(path) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in FILES.items():
            archive.writestr(name, content)


def _between_other_things(path: Path) -> None:
    zipped(path, FILES)
    with zipfile.ZipFile(path, "a") as archive:
        archive.comment = b"PK and more"
    path.write_bytes(b"#!/bin/sh\n" + path.read_bytes())


@pytest.mark.parametrize("write", [_zip_64, _streamed, _between_other_things])
def test_zips_of_all_kinds(tmp_path: Path, write: Callable[[Path], None]) -> None:
    write(tmp_path / "archive")
    archive = Archive(tmp_path / "archive", is_tar=False)
    assert {member.name: content for member, content in archive.contents(archive.members)} == FILES


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_tars_of_all_kinds(tmp_path: Path, form: int) -> None:
    long = {f"{'folder/' * 18}{number}/größe.png": bytes([number]) * 600 for number in range(3)}
    headers = {"comment": "of all"} if form == tarfile.PAX_FORMAT else {}
    with tarfile.open(tmp_path / "archive", "w:xz", format=form, pax_headers=headers) as packed:
        for name, content in long.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1.5 if headers else 1
            packed.addfile(info, io.BytesIO(content))
    (tmp_path / "archive").write_bytes(
        (tmp_path / "archive").read_bytes() + tarred(tmp_path / "b", {}, "w:xz").read_bytes()
    )
    archive = Archive(tmp_path / "archive", is_tar=True)
    assert {member.name: content for member, content in archive.contents(archive.members)} == long


def _whole(form: str) -> bytes:
    """A small file of this form."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        if form == "npz":
            np.savez_compressed(path.with_suffix(".npz"), a=np.arange(9), b=np.array(["x"]))
            return path.with_suffix(".npz").read_bytes()
        (zipped(path, FILES) if form == "zip" else tarred(path, FILES, form))
        return path.read_bytes()


@pytest.mark.parametrize("form", ["zip", "w", "w:gz", "w:bz2", "w:xz", "npz"])
@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.data())
def test_whatever_is_changed_is_read_or_refused(form: str, data: st.DataObject) -> None:
    content = bytearray(_whole(form))
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
        content[place] = data.draw(st.sampled_from([0, 1, 8, 127, 255]) | st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
        with contextlib.suppress(DataError):
            if form == "npz":
                load_arrays(path)
            else:
                _read_all(path, is_tar=form != "zip")


@pytest.mark.parametrize("name", [
    "/etc/passwd", "../up", "a/../../up", "a/..", "..", "C:/windows", "a\\..\\b", "\\\\host\\a", "line\nbreak",
    "bell\a", "n" * 1001,
])  # fmt: skip
@pytest.mark.parametrize("is_tar", [False, True])
def test_names_that_lead_out_or_cannot_be_shown_are_refused(tmp_path: Path, name: str, is_tar: bool) -> None:
    pack = tarred if is_tar else zipped
    with pytest.raises(DataError, match=r"leads out of a folder|with control characters or of more than"):
        Archive(pack(tmp_path / "archive", {"good.png": b"x", name: b"x"}), is_tar=is_tar)


@pytest.mark.parametrize("is_tar", [False, True])
def test_names_have_one_spelling_and_may_be_joined_as_windows_does(tmp_path: Path, is_tar: bool) -> None:
    apart, spaced = "U\u0308bung/1.png", "shots/4.07.45\u202fPM.png"
    files = {apart: b"1", spaced: b"2", "a\\b\\3.png": b"3"}
    archive = Archive((tarred if is_tar else zipped)(tmp_path / "archive", files), is_tar=is_tar)
    assert {member.name: content for member, content in archive.contents(archive.members)} == {
        "\u00dcbung/1.png": b"1", spaced: b"2", "a/b/3.png": b"3",
    }  # fmt: skip


def test_two_spellings_of_one_name_are_the_name_twice(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="twice"):
        Archive(zipped(tmp_path / "archive", {"\u00dc.png": b"1", "U\u0308.png": b"2"}), is_tar=False)


def test_utf8_that_does_not_say_so_is_utf8(tmp_path: Path) -> None:
    path = zipped(tmp_path / "archive", {"Übung/1.png": b"x"})
    path.write_bytes(path.read_bytes().replace(b"\x00\x08\x08\x00", b"\x00\x00\x08\x00"))  # the flag, twice
    with zipfile.ZipFile(path) as plain:
        assert plain.namelist() != ["Übung/1.png"]
    archive = Archive(path, is_tar=False)
    assert [member.name for member in archive.members] == ["Übung/1.png"]
    assert archive.guessed is None


def test_names_of_an_encoding_that_is_not_said_are_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "archive", {"cat/1.png": picture(1), "xxxx/1.png": picture(2), "cat/2.png": picture(3),
                                         "xxxx/2.png": picture(4)})  # fmt: skip
    path.write_bytes(path.read_bytes().replace(b"xxxx", "玫瑰".encode("gbk")))
    archive = Archive(path, is_tar=False)
    assert archive.guessed is not None
    [note] = of_names(archive.guessed)
    assert "'玫瑰/1.png' in gbk" in note
    assert "names_encoding=gbk" in note
    assert of_names(None) == []
    said = Archive(path, is_tar=False, encoding="gbk")
    assert said.guessed is None
    assert {member.name for member in said.members} == {"cat/1.png", "cat/2.png", "玫瑰/1.png", "玫瑰/2.png"}
    assert len(dict(said.contents(said.members))) == 4


@pytest.mark.parametrize("is_tar", [False, True])
def test_an_encoding_of_names_is_of_those_that_say_none(tmp_path: Path, is_tar: bool) -> None:
    path = (tarred if is_tar else zipped)(tmp_path / "archive", {"Übung/1.png": b"x", "xxxx/1.png": b"y"})
    content = gzip.decompress(path.read_bytes()) if is_tar else path.read_bytes()
    name = "表示".encode("shift_jis")  # its second byte is a backslash
    changed = content.replace(b"xxxx", name)
    if is_tar:  # the checksum of its header, of six octal digits
        place = changed.index(name)
        head = bytearray(changed[place : place + 512])
        head[148:156] = b" " * 8
        changed = changed[: place + 148] + b"%06o\0 " % sum(head) + changed[place + 156 :]
    path.write_bytes(changed)
    archive = Archive(path, is_tar=is_tar, encoding="shift_jis")
    assert [member.name for member in archive.members] == ["Übung/1.png", "表示/1.png"]
    with pytest.raises(DataError, match="is not in euc_kr"):
        Archive(path, is_tar=is_tar, encoding="euc_kr")


def test_what_a_file_is_shows_in_its_first_bytes(tmp_path: Path) -> None:
    jpeg, webp = b"\xff\xd8\xff\xe0" + bytes(90), b"RIFF\0\0\0\0WEBPVP8 " + bytes(90)
    files = {
        "a.jfif": jpeg,
        "b": webp,
        "c.png": b"x",
        "d.csv": b"a,b\n",
        "e.bin": bytes(90),
        "f.HEIC": b"\0\0\0\x18ftypheic",
    }
    for archive in (Archive(zipped(tmp_path / "zip", files), is_tar=False),
                    Archive(tarred(tmp_path / "tar", files), is_tar=True)):  # fmt: skip
        assert {member.name[0] for member in archive.members if member.is_picture} == set("abcf")
        assert [member.name for member in archive.members if member.is_text] == ["d.csv"]
        assert {member.name: content for member, content in archive.contents(archive.members)} == files


def _links(kind: bytes) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        info = tarfile.TarInfo("a/link.png")
        info.type, info.linkname = kind, "/etc/passwd"
        with tarfile.open(path, "w") as archive:
            archive.addfile(info)

    return write


@pytest.mark.parametrize(
    "kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE, tarfile.CONTTYPE]
)
def test_links_and_devices_in_tar_are_refused(tmp_path: Path, kind: bytes) -> None:
    _links(kind)(tmp_path / "archive")
    if kind == tarfile.CONTTYPE:  # an old kind of plain file
        assert Archive(tmp_path / "archive", is_tar=True).members
        return
    with pytest.raises(DataError, match="is a link or a device"):
        Archive(tmp_path / "archive", is_tar=True)


def test_links_in_zip_are_refused(tmp_path: Path) -> None:
    info = zipfile.ZipInfo("a/link.png")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(DataError, match="is a link or a device"):
        Archive(tmp_path / "archive", is_tar=False)


def test_a_name_twice_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive", "w") as archive:
        archive.writestr("a/one.png", b"1")
        archive.writestr("a/./one.png", b"2")
    with pytest.raises(DataError, match="twice"):
        Archive(tmp_path / "archive", is_tar=False)


def test_a_password_is_told(tmp_path: Path) -> None:
    path = zipped(tmp_path / "archive", {"a.png": b"x"})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match="encrypted"):
        Archive(path, is_tar=False)


@pytest.mark.parametrize("is_tar", [False, True])
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path, is_tar: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HARMLESS_BYTES", 10_000)
    pack = tarred if is_tar else zipped
    path = pack(tmp_path / "archive", {f"{number}.png": bytes(1_000_000) for number in range(5)})
    with pytest.raises(DataError, match="unpacks to more than"):
        Archive(path, is_tar=is_tar)


def test_a_file_that_says_it_is_huge_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.size = 1 << 40
    with (tmp_path / "archive").open("wb") as file:
        file.write(info.tobuf())
    with pytest.raises(DataError, match=r"1,099,511,627,776 bytes; at most|broken"):
        Archive(tmp_path / "archive", is_tar=True)


def test_too_many_files_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ENTRIES", 3)
    with pytest.raises(DataError, match="more than 3 files"):
        Archive(zipped(tmp_path / "archive", {f"{number}": b"" for number in range(4)}), is_tar=False)


def test_how_many_pictures_a_file_may_hold_grows_with_it() -> None:
    assert module.most_entries(1000) == 200_000
    assert module.most_entries(5_000_000) == 1_000_000
    assert module.most_entries(1 << 40) == module.MOST_ENTRIES


def test_a_tar_header_of_megabytes_is_not_read_into_memory(tmp_path: Path) -> None:
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = tarfile.GNUTYPE_LONGNAME, 1 << 33
    with (tmp_path / "archive").open("wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(b"x" * 4096)
    with pytest.raises(DataError, match="no name is that long"):
        Archive(tmp_path / "archive", is_tar=True)


def test_sparse_files_are_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("a.png")
    info.type = tarfile.GNUTYPE_SPARSE
    with tarfile.open(tmp_path / "archive", "w", format=tarfile.GNU_FORMAT) as archive:
        archive.addfile(info, io.BytesIO())
    with pytest.raises(DataError, match=r"a link or a device|broken"):
        Archive(tmp_path / "archive", is_tar=True)


@pytest.mark.parametrize("is_tar", [False, True])
def test_an_archive_that_breaks_off_is_broken(tmp_path: Path, is_tar: bool) -> None:
    pack = tarred if is_tar else zipped
    path = pack(tmp_path / "archive", {f"{number}.png": bytes(range(256)) * 40 for number in range(20)})
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(DataError, match="broken"):
        _read_all(path, is_tar)


def _read_all(path: Path, is_tar: bool) -> None:
    archive = Archive(path, is_tar=is_tar)
    list(archive.contents(archive.members))


def test_a_zip_whose_content_was_changed_is_broken(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "archive", "w", zipfile.ZIP_STORED) as packed:
        packed.writestr("a.png", b"content")
    content = (tmp_path / "archive").read_bytes().replace(b"content", b"CONTENT")
    (tmp_path / "archive").write_bytes(content)
    archive = Archive(tmp_path / "archive", is_tar=False)
    with pytest.raises(DataError, match="broken"):
        list(archive.contents(archive.members))
