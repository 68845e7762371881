"""A file is what its bytes say, whatever it is called."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from kd_engine.exporters.run import run_exporters
from kd_engine.intake import formats as sniffing
from tests.kd_engine.exporters.students import a_student, data, scores
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
    run_exporters(a_student(), scores(a_student(), data()), data(), ("onnx",), tmp_path)
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


def test_a_network_of_torch_is_told_how_to_write_what_is_taken(tmp_path: Path) -> None:
    network = torch.nn.Linear(3, 2)
    torch.save(network.state_dict(), tmp_path / "new.pt")
    torch.save(network.state_dict(), tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    with pytest.warns(DeprecationWarning, match="torch.jit"):
        torch.jit.save(torch.jit.script(network), tmp_path / "script.pt")
    torch.export.save(torch.export.export(network, (torch.zeros(2, 3),)), tmp_path / "program.pt2")
    told = {}
    for path in tmp_path.iterdir():
        with path.open("rb") as file:
            told[path.name] = sniffing.in_words(file, sniff(path), "network")
    assert "torch.onnx.export(torch.export.load(" in told.pop("program.pt2")
    assert sorted(told) == ["new.pt", "old.pth", "script.pt"]
    for words in told.values():
        assert "torch.onnx.export(network, (images,)" in words
        assert "save_file(network.state_dict()" in words


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


class Counted(io.BytesIO):
    """A file that counts what is read of it."""

    count = 0

    def read(self, size: int | None = -1, /) -> bytes:
        content = super().read(size)
        self.count += len(content)
        return content


@pytest.mark.parametrize(("suffix", "form"), [("npy", "npz"), ("png", "zip")])
def test_of_a_directory_with_any_number_of_names_the_first_are_read(suffix: str, form: str) -> None:
    file = Counted()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(20_000):
            archive.writestr(zipfile.ZipInfo(f"{'long' * 10}/{number}.{suffix}"), b"")
    file.seek(0)
    file.count = 0
    assert sniffing.sniff(file) == form
    assert file.count < 200_000 < len(file.getvalue()) / 10


@pytest.mark.parametrize("comment", [b"", b"x" * 65_535])
@pytest.mark.parametrize("before", [b"", b"PK\x03\x04" * 1000])
def test_what_stands_before_and_behind_an_archive_makes_no_difference(before: bytes, comment: bytes) -> None:
    file = io.BytesIO()
    np.savez(file, images=np.zeros(3))
    with zipfile.ZipFile(file, "a") as archive:
        archive.comment = comment
    assert sniffing.sniff(io.BytesIO(before + file.getvalue())) == "npz"


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_that_begin_like_an_archive(middle: bytes, end: bytes) -> None:
    content = b"PK\x03\x04" + middle + b"PK\x05\x06" + end
    assert sniffing.sniff(io.BytesIO(content)) in {"zip", "npz", "pickle"}


def test_a_table(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(b"PAR1" + b"x" * 10_000)
    assert sniff(tmp_path / "table.csv") == "parquet"


@pytest.mark.parametrize("magic", [b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\x01\x00", b"\x28\xb5\x2f\xfd"])
def test_archives_that_are_not_read_are_told_apart(magic: bytes) -> None:
    file = io.BytesIO(magic + bytes(600))
    assert sniffing.sniff(file) == "unknown"
    assert "zip" in sniffing.in_words(file, "unknown", "data set")
