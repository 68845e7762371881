from __future__ import annotations

import os
from pathlib import Path

import pytest

from standalone.errors import CannotStart
from standalone.lock import HomeLock


def test_a_second_supervisor_is_told_who_has_the_folder(tmp_path: Path) -> None:
    with HomeLock(tmp_path), pytest.raises(CannotStart, match=f"process {os.getpid()}") as caught:
        HomeLock(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "KD_HOME" in str(caught.value)


def test_a_released_folder_can_be_taken_again(tmp_path: Path) -> None:
    home = tmp_path / "new" / "home"
    for _ in range(2):
        with HomeLock(home):
            assert (home / "supervisor.lock").read_text() == str(os.getpid())
