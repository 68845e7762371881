"""What of an archive is not used is counted and named in the manifest, whatever it holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_engine.intake.archive import Archive
from kd_engine.intake.left_out import left_out
from kd_engine.intake.nested import opened
from tests.kd_engine.intake.archives import by_class, picture, tarred, zipped

REST = {".DS_Store": b"x", "masks/1.png": picture(99), **{f"notes/{number:02}.txt": b"x" for number in range(30)}}


@pytest.mark.parametrize("is_tar", [False, True])
def test_each_kind_is_counted_whole_and_its_first_named(tmp_path: Path, is_tar: bool) -> None:
    path = (tarred if is_tar else zipped)(tmp_path / "a", by_class(2) | REST)
    archive = Archive(path, is_tar=is_tar)
    used = [member for member in archive.members if member.name in by_class(2) and member.name != "cat/01.png"]
    assert len(list(archive.contents(used))) == 3
    found = left_out(archive)
    assert found["left_out"] == {
        "hidden": 1, "not pictures by their content": 30, "other pictures": 1,
        "pictures in folders that name no class": 1,
    }  # fmt: skip
    files = found["left_out_files"]
    assert files["other pictures"] == ("cat/01.png",)
    assert files["pictures in folders that name no class"] == ("masks/1.png",)
    assert files["not pictures by their content"] == tuple(f"notes/{number:02}.txt" for number in range(20))


def test_of_archives_in_an_archive_too(tmp_path: Path) -> None:
    inner = zipped(tmp_path / "b", {"a.txt": b"x", "b.txt": b"y"}).read_bytes()
    with opened(zipped(tmp_path / "a", {"train.zip": inner}), tmp_path, is_tar=False) as archive:
        archive.unpack({member: tmp_path / "c" for member in archive.members if member.name == "train/a.txt"})
        assert left_out(archive)["left_out_files"] == {"not pictures by their content": ("train/b.txt",)}
