from __future__ import annotations

import os
from pathlib import Path

import pytest

from jobs.environment import SettingsError
from jobs.home import make_private, prepare


def mode(folder: Path) -> int:
    return folder.stat().st_mode & 0o7777


@pytest.fixture(autouse=True)
def _usual_umask() -> object:
    before = os.umask(0o022)
    yield
    os.umask(before)


def test_a_home_where_nothing_can_be_written_is_told_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for home in (tmp_path / "file" / "home", Path("/proc/home")):
        with pytest.raises(SettingsError, match=f"KD_HOME is {home}, where nothing can be written .*KD_HOME="):
            prepare(home, needed=True)
        prepare(home, needed=False)
    prepare(tmp_path / "new", needed=True)
    assert mode(tmp_path / "new") == 0o700


def test_a_new_home_is_its_owners_alone(tmp_path: Path) -> None:
    home = tmp_path / "below" / "home"
    for _ in range(2):
        make_private(home)
        assert mode(home) == 0o700


@pytest.mark.parametrize("content", [(), ("distillery.db", "distillery.db-wal", "artifacts", "runs", "logs", ".keep")])
def test_one_of_an_earlier_version_is_tightened(tmp_path: Path, content: tuple[str, ...]) -> None:
    tmp_path.chmod(0o755)
    for name in content:
        (tmp_path / name).touch()
    make_private(tmp_path)
    assert mode(tmp_path) == 0o700


@pytest.mark.parametrize(("before", "content"), [(0o755, "nginx"), (0o1777, "artifacts")])
def test_a_folder_of_others_is_left_with_a_warning(
    tmp_path: Path, before: int, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / content).touch()
    tmp_path.chmod(before)
    make_private(tmp_path)
    assert mode(tmp_path) == before
    assert "chmod 700" in caplog.text


def test_somebody_elses_folder_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path.chmod(0o770)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    make_private(tmp_path)
    assert mode(tmp_path) == 0o770
