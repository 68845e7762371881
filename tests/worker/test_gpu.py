"""What `nvidia-smi` prints, read; the program is a script that prints it as the driver does."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from worker.gpu import Gpu, GpuUse, parse, visible

# of `--format=csv,noheader,nounits`: two GPUs of a server, one whose driver tells no use, and a warning among them
PRINTED = """\
0, GPU-3f1d9a53-8d9c-2f0e-6d7b-1f0d7a1c9a11, 1234, 81559, 87
1, GPU-77aa0d5e-1111-2222-3333-444455556666, 0, 81559, 0
2, GPU-deadbeef-0000-1111-2222-333344445555, 512, 24576, [N/A]
WARNING: infoROM is corrupted at gpu 0000:65:00.0
"""
MIB = 2**20


def test_lines_as_the_driver_prints_them() -> None:
    first, second, third = parse(PRINTED)
    assert first == Gpu("0", "GPU-3f1d9a53-8d9c-2f0e-6d7b-1f0d7a1c9a11", 1234 * MIB, 81559 * MIB, pytest.approx(0.87))
    assert (second.used_bytes, second.busy) == (0, 0)
    assert third.busy is None


@pytest.mark.parametrize(
    "text", ["", "No devices were found\n", "Failed to initialize NVML: Driver/library mismatch\n"]
)
def test_what_is_said_instead_is_no_gpu(text: str) -> None:
    assert parse(text) == []


@pytest.mark.parametrize(
    ("devices", "indices"),
    [(None, "012"), ("", ""), ("-1", ""), ("1", "1"), ("2,0", "02"), ("GPU-77aa0d5e", "1"), ("GPU-", "012")],
)
def test_only_the_gpus_that_the_worker_may_use(devices: str | None, indices: str) -> None:
    assert "".join(gpu.index for gpu in visible(parse(PRINTED), devices)) == indices


def registry_with(program: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> CollectorRegistry:
    """A registry in whose world `nvidia-smi` is this shell script."""
    script = folder / "nvidia-smi"
    script.write_text(f"#!/bin/sh\n{program}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    registry = CollectorRegistry()
    registry.register(GpuUse())
    return registry


def test_metrics_of_each_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "printed").write_text(PRINTED)
    registry = registry_with(f"cat {tmp_path / 'printed'}", tmp_path, monkeypatch)
    assert registry.get_sample_value("distillery_gpu_memory_used_bytes", {"gpu": "0"}) == 1234 * MIB
    assert registry.get_sample_value("distillery_gpu_memory_total_bytes", {"gpu": "2"}) == 24576 * MIB
    assert registry.get_sample_value("distillery_gpu_busy_ratio", {"gpu": "0"}) == pytest.approx(0.87)
    assert registry.get_sample_value("distillery_gpu_busy_ratio", {"gpu": "2"}) is None


def test_a_driver_that_fails_is_told_of_once_and_costs_its_metrics_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    registry = registry_with("exit 9", tmp_path, monkeypatch)
    for _ in range(2):
        assert registry.get_sample_value("distillery_gpu_busy_ratio", {"gpu": "0"}) is None
    assert caplog.text.count("does not answer") == 1
