"""CIFAR-10's files: read right, or refused by name."""

from __future__ import annotations

import hashlib
import io
import logging
import os
import pickle
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch

from kd_engine.catalog import DATASETS
from kd_engine.data.dataset import RawData, content_sha256
from kd_engine.data.readers import cifar
from kd_engine.schema.errors import DataError
from tests.kd_engine.data.conftest import python2_pickle

if TYPE_CHECKING:
    from tests.kd_engine.data.conftest import Mirror, SmallCifar


def read(folder: Path) -> RawData:
    return cifar.read_cifar10(folder, DATASETS["cifar10"].find(folder))


def md5(content: bytes) -> str:
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "python"])
def test_every_byte_is_where_it_belongs(small_cifar: SmallCifar, binary: bool) -> None:
    small_cifar.lay(binary=binary)

    raw = read(small_cifar.folder)

    *train, test = small_cifar.batches.values()
    assert raw.train_images.shape == (100, 3, 32, 32)
    assert raw.train_images.dtype == torch.uint8
    assert raw.train_labels.dtype == torch.int64
    assert np.array_equal(raw.train_images.flatten(1).numpy(), np.concatenate([pixels for pixels, _ in train]))
    assert raw.train_labels.tolist() == [label for _, labels in train for label in labels]
    assert np.array_equal(raw.test_images.flatten(1).numpy(), test[0])
    assert raw.test_labels.tolist() == test[1]


def test_both_layouts_hold_the_same_data(small_cifar: SmallCifar) -> None:
    small_cifar.lay(binary=False)
    from_pickles = content_sha256(read(small_cifar.folder))
    small_cifar.lay(binary=True)

    assert DATASETS["cifar10"].find(small_cifar.folder) == DATASETS["cifar10"].layouts[0]
    assert content_sha256(read(small_cifar.folder)) == from_pickles


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'cifar10' is not present: looked for"):
        read(tmp_path)


class TestBinary:
    @pytest.fixture(autouse=True)
    def _lay(self, small_cifar: SmallCifar) -> None:
        small_cifar.lay(binary=True)

    @pytest.mark.parametrize("change", [lambda content: content[:-1], lambda content: content + b"\0"])
    def test_a_wrong_size_is_found(self, small_cifar: SmallCifar, change: Callable[[bytes], bytes]) -> None:
        content = change(small_cifar.files["data_batch_3.bin"])
        path = small_cifar.write("data_batch_3.bin", content)

        with pytest.raises(DataError) as caught:
            read(small_cifar.folder)

        assert f"{path} has {len(content):,} bytes (md5 {md5(content)}); expected 61,460." in str(caught.value)

    def test_a_label_above_9_is_found(self, small_cifar: SmallCifar) -> None:
        path = small_cifar.write("test_batch.bin", b"\x0a" + small_cifar.files["test_batch.bin"][1:])

        with pytest.raises(DataError) as caught:
            read(small_cifar.folder)
        assert f"{path} holds labels from 0 to 10; expected 0 to 9" in str(caught.value)

    def test_a_changed_label_is_found_by_counting(self, small_cifar: SmallCifar) -> None:
        content = bytearray(small_cifar.files["data_batch_2.bin"])
        content[0] = (content[0] + 1) % 10
        small_cifar.write("data_batch_2.bin", bytes(content))

        with pytest.raises(DataError, match=r"data_batch_1\.bin, .* hold \[.*\] images .* expected 10 of each"):
            read(small_cifar.folder)

    def test_changed_pixels_are_used_but_told(self, small_cifar: SmallCifar, caplog: pytest.LogCaptureFixture) -> None:
        original = content_sha256(read(small_cifar.folder))
        content = bytearray(small_cifar.files["data_batch_2.bin"])
        content[5] ^= 1
        small_cifar.write("data_batch_2.bin", bytes(content))
        assert caplog.messages == []

        with caplog.at_level(logging.WARNING):
            changed = content_sha256(read(small_cifar.folder))

        [message] = caplog.messages
        assert "data_batch_2.bin is not the published file" in message
        assert md5(bytes(content)) in message
        assert changed != original


class TestPython:
    @pytest.fixture(autouse=True)
    def _lay(self, small_cifar: SmallCifar) -> None:
        small_cifar.lay(binary=False)

    def test_the_checksum_comes_before_the_pickle(self, small_cifar: SmallCifar, tmp_path: Path) -> None:
        hostile = pickle.dumps(_Touch(tmp_path / "ran"))
        path = small_cifar.write("data_batch_1", hostile)

        with pytest.raises(DataError) as caught:
            read(small_cifar.folder)

        assert f"{path} has md5 {md5(hostile)}" in str(caught.value)
        assert f"expected {cifar.CIFAR10.python_md5['data_batch_1']}" in str(caught.value)
        assert not (tmp_path / "ran").exists()

    def test_a_hostile_pickle_with_the_right_checksum_does_nothing(
        self, small_cifar: SmallCifar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hostile = pickle.dumps(_Touch(tmp_path / "ran"))
        path = small_cifar.write("data_batch_1", hostile)
        monkeypatch.setitem(cifar.CIFAR10.python_md5, "data_batch_1", md5(hostile))

        with pytest.raises(DataError) as caught:
            read(small_cifar.folder)

        assert f"{path} is refused: it asks for posix.system" in str(caught.value)
        assert not (tmp_path / "ran").exists()

    @pytest.mark.parametrize(
        ("data", "labels", "message"),
        [
            (np.zeros((20, 3071), np.uint8), [0, 1] * 10, "'data' is not a uint8 array of shape (20, 3072)"),
            (np.zeros((19, 3072), np.uint8), [0, 1] * 10, "'data' is not a uint8 array"),
            (np.zeros((20, 3072), np.uint8), [0] * 19, "'labels' is not a list of 20 whole numbers"),
            (np.zeros((20, 3072), np.uint8), [77] * 20, "holds labels from 77 to 77; expected 0 to 9"),
        ],
    )
    def test_wrong_content_under_the_right_checksum(
        self, small_cifar: SmallCifar, monkeypatch: pytest.MonkeyPatch, data: Any, labels: list[int], message: str
    ) -> None:
        content = python2_pickle(data, labels)
        path = small_cifar.write("data_batch_4", content)
        monkeypatch.setitem(cifar.CIFAR10.python_md5, "data_batch_4", md5(content))

        with pytest.raises(DataError) as caught:
            read(small_cifar.folder)

        assert message in str(caught.value)
        assert str(path) in str(caught.value)


class _Touch:
    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f"touch {self.path}",)


def archive(members: dict[str, bytes | tarfile.TarInfo]) -> bytes:
    """A gzipped tar of files by name; a TarInfo stands for itself."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for name, content in members.items():
            if isinstance(content, tarfile.TarInfo):
                tar.addfile(content)
            else:
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info


class TestDownload:
    @pytest.fixture
    def published(self, small_cifar: SmallCifar) -> dict[str, bytes | tarfile.TarInfo]:
        return {f"cifar-10-batches-py/{name}": small_cifar.files[name] for name in small_cifar.batches}

    @pytest.fixture
    def publish(
        self, mirror: Callable[..., Mirror], monkeypatch: pytest.MonkeyPatch
    ) -> Callable[[dict[str, bytes | tarfile.TarInfo]], None]:
        """Makes an archive of these members the published one."""

        def make(members: dict[str, bytes | tarfile.TarInfo], cut: int = 0) -> None:
            content = archive(members)
            content = content[: len(content) - cut]
            url = mirror(archive=content).url + "archive"
            monkeypatch.setattr(cifar, "CIFAR10", replace(cifar.CIFAR10, mirrors=(url,), archive_md5=md5(content)))

        return make

    def test_takes_the_batches_and_nothing_else(
        self, small_cifar: SmallCifar, published: Any, publish: Any, tmp_path: Path
    ) -> None:
        others = {
            "cifar-10-batches-py/readme.html": b"<p>",
            "../escaped": b"x",
            "/absolute": b"x",
            "data_batch_1": b"x",
            "cifar-10-batches-py/../../data_batch_1": b"x",
            "other/data_batch_1": b"x",
        }
        publish(others | published)

        cifar.download_cifar10(tmp_path)

        assert len(read(tmp_path).train_labels) == 100
        files = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
        assert files == sorted(published)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"test_batch": b"other"}, f"test_batch in cifar-10-python.tar.gz has md5 {md5(b'other')}"),
            ({"test_batch": None}, "cifar-10-python.tar.gz does not hold test_batch."),
            ({"test_batch": link("cifar-10-batches-py/test_batch", "/etc/hostname")}, "is not a plain file"),
            ({"test_batch": bytes(2_000_000)}, "is not a plain file of at most 1,000,000 bytes"),
        ],
        ids=["changed", "missing", "link", "too large"],
    )
    def test_what_is_not_the_publishers(
        self, published: Any, publish: Any, tmp_path: Path, change: Any, message: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(cifar, "MAX_MEMBER_BYTES", 1_000_000)
        changed = published | {f"cifar-10-batches-py/{name}": content for name, content in change.items()}
        publish({name: content for name, content in changed.items() if content is not None})

        with pytest.raises(DataError) as caught:
            cifar.download_cifar10(tmp_path)

        assert message in str(caught.value)
        assert not (tmp_path / "cifar-10-batches-py" / "test_batch").exists()
        assert not (tmp_path / "cifar-10-python.tar.gz").exists()

    @pytest.mark.parametrize("cut", [100, 20_000])
    def test_an_archive_that_ends_early(self, published: Any, publish: Any, tmp_path: Path, cut: int) -> None:
        publish(published, cut)

        with pytest.raises(DataError, match=r"cifar-10-python\.tar\.gz is not a whole archive"):
            cifar.download_cifar10(tmp_path)

    def test_what_is_no_archive(self, tmp_path: Path) -> None:
        path = tmp_path / "a.tar.gz"
        path.write_bytes(b"<html>")

        with pytest.raises(DataError, match=r"a\.tar\.gz is not a whole archive"):
            cifar.extract(cifar.CIFAR10, path, tmp_path)


def test_the_real_files(real_data: Callable[[str], Path]) -> None:
    raw = read(real_data("cifar10"))

    assert raw.train_images.shape == (50_000, 3, 32, 32)
    assert raw.train_labels[:5].tolist() == [6, 9, 9, 4, 1]
    assert raw.test_labels[:5].tolist() == [3, 8, 8, 0, 6]
    # the means that everyone normalises with, over every tenth image
    means = raw.train_images[::10].float().mean(dim=(0, 2, 3)) / 255
    assert means.tolist() == pytest.approx(DATASETS["cifar10"].mean, abs=5e-3)
