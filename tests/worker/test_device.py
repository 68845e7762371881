"""What a worker trains on, asked of torch in a process of its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch

from jobs.settings import SettingsError
from worker import device
from worker.device import find_device

GPU = torch.cuda.is_available()


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine with a GPU's driver, so that torch is asked."""
    (tmp_path / "nvidia0").touch()
    monkeypatch.setattr(device, "_DEV", tmp_path)


@pytest.mark.usefixtures("driver")
def test_auto_is_what_torch_sees() -> None:
    assert find_device("auto") == ("cuda" if GPU else "cpu")


def test_without_a_driver_torch_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_DEV", tmp_path)
    monkeypatch.setattr(device, "_torch_sees_a_gpu", lambda: pytest.fail("torch was asked"))
    assert find_device("auto") == "cpu"


@pytest.mark.skipif(not GPU, reason="this machine has no GPU")
def test_a_gpu_has_a_driver_that_is_known() -> None:
    assert device._has_driver()


@pytest.mark.usefixtures("driver")
def test_the_cpu_is_asked_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_torch_sees_a_gpu", lambda: pytest.fail("torch was asked"))
    assert find_device("cpu") == "cpu"


@pytest.mark.skipif(GPU, reason="this machine has a GPU")
def test_a_gpu_that_is_not_there_is_refused() -> None:
    with pytest.raises(SettingsError, match="KD_DEVICE is 'cuda', but torch sees no GPU"):
        find_device("cuda")


@pytest.mark.skipif(GPU, reason="this machine has a GPU")
def test_a_worker_for_a_gpu_that_is_not_there_says_so_and_ends() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "worker"], env={"KD_DEVICE": "cuda", "PATH": ""}, capture_output=True, text=True
    )
    assert ended.returncode == 2
    assert "cannot start: KD_DEVICE is 'cuda'" in ended.stderr


@pytest.mark.usefixtures("driver")
@pytest.mark.parametrize(("said", "kind"), [(b"True\n", "cuda"), (b"a warning\nFalse\n", "cpu")])
def test_torchs_last_word_counts(said: bytes, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess([], 0, said, b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert find_device("auto") == kind


@pytest.mark.usefixtures("driver")
def test_torch_that_cannot_be_asked_is_an_error_with_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess([], 1, b"", b"Traceback\nModuleNotFoundError: No module named 'torch'\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(SettingsError, match="No module named 'torch'"):
        find_device("auto")
