"""MNIST's files: read right, or refused by name."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from kd_engine.catalog import DATASETS
from kd_engine.data.dataset import RawData
from kd_engine.data.readers import mnist
from kd_engine.schema.errors import DataError

if TYPE_CHECKING:
    from tests.kd_engine.data.conftest import Mirror, SmallMnist

IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


def read(folder: Path) -> RawData:
    return mnist.read(folder, DATASETS["mnist"].find(folder))


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("zipped", [True, False], ids=["zipped", "unzipped"])
class TestBothLayouts:
    @pytest.fixture
    def suffix(self, zipped: bool) -> str:
        return ".gz" if zipped else ""

    def test_every_byte_is_where_it_belongs(self, small_mnist: SmallMnist, zipped: bool) -> None:
        small_mnist.lay(zipped=zipped)

        raw = read(small_mnist.folder)

        for found, name in (
            (raw.train_images[:, 0], "train-images-idx3-ubyte"),
            (raw.train_labels, "train-labels-idx1-ubyte"),
            (raw.test_images[:, 0], "t10k-images-idx3-ubyte"),
            (raw.test_labels, "t10k-labels-idx1-ubyte"),
        ):
            assert np.array_equal(found.numpy(), small_mnist.arrays[name])
        assert raw.train_images.dtype == torch.uint8
        assert raw.train_labels.dtype == torch.int64

    @pytest.mark.parametrize("name", [IMAGES, LABELS, "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"])
    def test_one_changed_byte_is_found(self, small_mnist: SmallMnist, zipped: bool, suffix: str, name: str) -> None:
        small_mnist.lay(zipped=zipped)
        content = bytearray(small_mnist.files[name + suffix])
        content[-9] ^= 1
        path = small_mnist.write(name + suffix, bytes(content))

        with pytest.raises(DataError) as caught:
            read(small_mnist.folder)

        assert str(path) in str(caught.value)
        assert md5(bytes(content)) in str(caught.value)
        assert f"expected {mnist.MD5[name + suffix]}" in str(caught.value)

    def test_a_truncated_file_is_found(self, small_mnist: SmallMnist, zipped: bool, suffix: str) -> None:
        small_mnist.lay(zipped=zipped)
        path = small_mnist.write(IMAGES + suffix, small_mnist.files[IMAGES + suffix][:-100])

        with pytest.raises(DataError, match="truncated or was changed") as caught:
            read(small_mnist.folder)
        assert str(path) in str(caught.value)

    def test_a_wrong_header_is_found_even_under_a_right_checksum(
        self, small_mnist: SmallMnist, zipped: bool, suffix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small_mnist.lay(zipped=zipped)
        labels_as_images = small_mnist.files[LABELS + suffix]
        path = small_mnist.write(IMAGES + suffix, labels_as_images)
        monkeypatch.setitem(mnist.MD5, IMAGES + suffix, md5(labels_as_images))

        with pytest.raises(DataError) as caught:
            read(small_mnist.folder)

        assert f"{path} holds 48 bytes" in str(caught.value)
        assert "00000801" in str(caught.value)
        assert "00000803000000280000001c0000001c" in str(caught.value)

    def test_a_label_above_9_is_found(
        self, small_mnist: SmallMnist, zipped: bool, suffix: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small_mnist.lay(zipped=zipped)
        content = small_mnist.files[LABELS][:-1] + b"\x0a"
        content = gzip.compress(content) if zipped else content
        path = small_mnist.write(LABELS + suffix, content)
        monkeypatch.setitem(mnist.MD5, LABELS + suffix, md5(content))

        with pytest.raises(DataError) as caught:
            read(small_mnist.folder)
        assert f"{path} holds the label 10; expected 0 to 9" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a gzip file", "is not a gzip file"),
        (gzip.compress(bytes(40_000_000)), "holds 31,377 bytes"),  # stops one byte beyond the 31,376 expected
        (gzip.compress(b"\0" * 50_000)[:30], "holds"),
    ],
    ids=["no gzip", "bomb", "cut"],
)
def test_what_gzip_cannot_give(
    small_mnist: SmallMnist, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    small_mnist.lay(zipped=True)
    small_mnist.write(f"{IMAGES}.gz", content)
    monkeypatch.setitem(mnist.MD5, f"{IMAGES}.gz", md5(content))

    with pytest.raises(DataError, match=message):
        read(small_mnist.folder)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'mnist' is not present: looked for"):
        read(tmp_path)


def test_a_file_that_cannot_be_read_is_named(small_mnist: SmallMnist) -> None:
    small_mnist.lay(zipped=False)
    layout = DATASETS["mnist"].find(small_mnist.folder)
    (small_mnist.folder / "MNIST" / "raw" / LABELS).unlink()

    with pytest.raises(DataError, match=f"{LABELS} cannot be read: No such file"):
        mnist.read(small_mnist.folder, layout)


class TestDownload:
    def test_fetches_the_four_files_and_reads_them(
        self, small_mnist: SmallMnist, mirror: Callable[..., Mirror], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        zipped = {name: content for name, content in small_mnist.files.items() if name.endswith(".gz")}
        server = mirror(**zipped)
        monkeypatch.setattr(mnist, "MIRRORS", (server.url,))

        mnist.download(small_mnist.folder)

        assert len(read(small_mnist.folder).train_labels) == 40
        assert sorted(server.asked) == sorted(f"/{name}" for name in zipped)

    def test_leaves_what_is_there(
        self, small_mnist: SmallMnist, mirror: Callable[..., Mirror], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        small_mnist.lay(zipped=True)
        server = mirror()
        monkeypatch.setattr(mnist, "MIRRORS", (server.url,))

        mnist.download(small_mnist.folder)

        assert server.asked == []


def test_the_real_files(real_data: Callable[[str], Path]) -> None:
    raw = read(real_data("mnist"))

    assert raw.train_images.shape == (60_000, 1, 28, 28)
    assert raw.test_images.shape == (10_000, 1, 28, 28)
    assert raw.train_labels[:8].tolist() == [5, 0, 4, 1, 9, 2, 1, 3]
    assert raw.test_labels.bincount().tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    # mean and deviation as published everywhere
    counts = np.bincount(raw.train_images.numpy().reshape(-1), minlength=256)
    mean = np.average(np.arange(256) / 255, weights=counts)
    deviation = np.sqrt(np.average((np.arange(256) / 255 - mean) ** 2, weights=counts))
    assert (round(mean, 4), round(deviation, 4)) == (0.1307, 0.3081)


def test_the_published_checksum_of_the_unzipped_files(real_data: Callable[[str], Path], tmp_path: Path) -> None:
    folder = real_data("mnist") / "MNIST" / "raw"
    for name in (name for name in mnist.MD5 if not name.endswith(".gz")):
        zipped = folder / f"{name}.gz"
        if not zipped.is_file():
            pytest.skip("needs the zipped files of the real mnist")
        assert md5(gzip.decompress(zipped.read_bytes())) == mnist.MD5[name]
