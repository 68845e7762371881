"""The benchmark of what users send measures, on a tiny scale."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import sending
from benchmarks.service import Service


@pytest.mark.service
def test_the_upload(quiet: Service, capsys: pytest.CaptureFixture[str]) -> None:
    sending.upload(quiet, megabytes=1, rounds=1)
    shown = capsys.readouterr().out
    assert "\n  plain copy " in shown
    assert "\n  upload " in shown


def test_the_check(tmp_path: Path) -> None:
    what, photos = sending.photos("", 20)
    assert (what, len(photos)) == ("noise", 20)
    measured = sending.check_against_pillow(photos, tmp_path, rounds=1)
    assert set(measured.seconds) == {"Pillow alone", "check"}
    assert (tmp_path / "dataset.tar").exists()


def test_the_onnx_teacher(tmp_path: Path) -> None:
    assert set(sending.onnx_against_torch(tmp_path, rounds=1, batches=1).seconds) == {"PyTorch", "ONNX"}
