"""What a worker trains on, asked of torch in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from jobs.settings import SettingsError
from worker.device import find_device

GPU = torch.cuda.is_available()


def test_auto_is_what_torch_sees() -> None:
    device = find_device("auto")
    assert device.kind == ("cuda" if GPU else "cpu")
    assert device.memory_bytes is not None
    assert device.memory_bytes > 2**28


def test_the_cpu_is_asked_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("worker.device._gpu_bytes", lambda: pytest.fail("torch was asked"))
    assert find_device("cpu").kind == "cpu"


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


def test_the_smallest_of_several_gpus_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess([], 0, b'{"gpus": 2, "memory_bytes": 8000000000}\n', b"")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    device = find_device("auto")
    assert (device.kind, device.memory_bytes) == ("cuda", 8_000_000_000)


def test_torch_that_cannot_be_asked_is_an_error_with_its_last_line(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = subprocess.CompletedProcess([], 1, b"", b"Traceback\nModuleNotFoundError: No module named 'torch'\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    with pytest.raises(SettingsError, match="No module named 'torch'"):
        find_device("auto")
