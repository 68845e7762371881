"""A file is what its bytes say, whatever it is called."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save

from kd_engine.export.ship import ship
from kd_engine.intake import sniff as sniffing
from tests.kd_engine.export.students import a_student, correct, data
from tests.kd_engine.intake.archives import by_class, picture, tarred, zipped


def sniff(path: Path) -> sniffing.Format:
    with path.open("rb") as file:
        return sniffing.sniff(file)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(tmp_path: Path, mode: str) -> None:
    assert sniff(tarred(tmp_path / "photo.jpg", by_class(), mode)) == "tar"


def test_zip(tmp_path: Path) -> None:
    assert sniff(zipped(tmp_path / "photo.jpg", by_class())) == "zip"


def test_arrays(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=np.zeros(3))
    np.save(tmp_path / "a.npy", np.zeros(3))
    assert sniff(tmp_path / "a.npz") == "npz"
    assert sniff(tmp_path / "a.npy") == "npy"


def test_networks(tmp_path: Path) -> None:
    ship(a_student(), correct(a_student(), data()), data(), ("onnx",), tmp_path)
    (tmp_path / "weights").write_bytes(save({"a": torch.zeros(2)}))
    assert sniff(tmp_path / "student.onnx") == "onnx"
    assert sniff(tmp_path / "weights") == "safetensors"


@pytest.mark.parametrize("protocol", range(2, 6))
def test_pickles(tmp_path: Path, protocol: int) -> None:
    (tmp_path / "data.zip").write_bytes(pickle.dumps({"a": 1}, protocol))
    assert sniff(tmp_path / "data.zip") == "pickle"


def test_what_torch_saves_is_a_pickle(tmp_path: Path) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "model.pt")
    assert sniff(tmp_path / "model.pt") == "pickle"


@pytest.mark.parametrize(
    "content", [b"a", picture(), b"hello, world" * 100, (2**63).to_bytes(8, "little") + b"{}", b"\x00" * 600]
)
def test_everything_else_is_unknown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert sniff(tmp_path / "file") == "unknown"


def test_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert sniff(tmp_path / "file") == "empty"


def test_a_zip_that_breaks_off_is_still_one(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "whole.zip", by_class()).read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    assert sniff(tmp_path / "half.zip") == "zip"


def test_a_table(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"PAR1" + b"x" * 10_000)
    assert sniff(tmp_path / "table.csv") == "parquet"
