"""Archives of arrays as their publishers write them."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.io import savemat

from kd_engine.intake.archive import Archive
from kd_engine.intake.publishers import arrays_of
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.archives import by_class, tarred, zipped

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 256, (12, 6, 5), dtype=np.uint8)
LABELS = np.arange(12) % 3


def _idx(array: Any) -> bytes:
    return struct.pack(f">I{array.ndim}I", 0x0800 + array.ndim, *array.shape) + array.astype(np.uint8).tobytes()


def _files(end: str = "") -> dict[str, bytes]:
    pack = gzip.compress if end else bytes
    return {
        f"data/{split}-{what}-{form}-ubyte{end}": pack(_idx(array[part]))
        for split, part in (("train", slice(8)), ("t10k", slice(8, 12)))
        for what, form, array in (("images", "idx3", IMAGES), ("labels", "idx1", LABELS))
    }


@pytest.mark.parametrize("end", ["", ".gz"])
def test_idx_files_of_the_mnist_family(tmp_path: Path, end: str) -> None:
    found = arrays_of(Archive(zipped(tmp_path / "a", _files(end) | {"README.txt": b"x"}), is_tar=False))
    assert found is not None
    found, notes = found
    assert notes == []
    assert np.array_equal(found["train_images"], IMAGES[:8])
    assert np.array_equal(found["test_images"], IMAGES[8:])
    assert found["train_labels"].tolist() == LABELS[:8].tolist()


@pytest.mark.parametrize("first", [0, 1])
def test_pictures_of_emnist_are_set_upright(tmp_path: Path, first: int) -> None:
    """Its letters have labels from 1."""
    files = {
        f"emnist-letters-{split}-{what}-{form}-ubyte.gz": gzip.compress(_idx(array[part]))
        for split, part in (("train", slice(8)), ("test", slice(8, 12)))
        for what, form, array in (("images", "idx3", IMAGES.swapaxes(1, 2)), ("labels", "idx1", LABELS + first))
    }
    mapping = "".join(f"{label} {ord(letter)} {ord(letter.lower())}\n" for label, letter in enumerate("ABC", first))
    files["emnist-letters-mapping.txt"] = mapping.encode()
    found = arrays_of(Archive(zipped(tmp_path / "a", files), is_tar=False))
    assert found is not None
    arrays, notes = found
    assert np.array_equal(arrays["train_images"], IMAGES[:8])
    assert arrays["test_labels"].tolist() == LABELS[8:].tolist()
    assert arrays["classes"].tolist() == ["A", "B", "C"]
    assert "set upright" in notes[0]
    assert len(notes) == 1 + first


COLOURED_HWCN = RANDOM.integers(0, 256, (32, 30, 3, 12), dtype=np.uint8)
DIGITS = np.array([10, 1, 2, 9, 10, 3, 4, 5, 6, 7, 8, 10], np.uint8)


def _mat(part: slice, *, packed: bool = True, **more: Any) -> bytes:
    file = io.BytesIO()
    named = {"X": COLOURED_HWCN[..., part], "y": DIGITS[part, None], "about": {"of": "a test"}} | more
    savemat(file, {name: array for name, array in named.items() if array is not None}, do_compression=packed)
    return file.getvalue()


@pytest.mark.parametrize("packed", [True, False])
def test_files_of_svhn(tmp_path: Path, packed: bool) -> None:
    files = {"train_32x32.mat": _mat(slice(8), packed=packed), "test_32x32.mat": _mat(slice(8, 12), packed=packed)}
    found = arrays_of(Archive(zipped(tmp_path / "a", files | {"extra_32x32.mat": b"x"}), is_tar=False))
    assert found is not None
    arrays, notes = found
    assert np.array_equal(arrays["train_images"][3, :, :, 2], COLOURED_HWCN[:, :, 2, 3])
    assert arrays["train_labels"].tolist() == [0, 1, 2, 9, 0, 3, 4, 5]
    assert arrays["test_labels"].tolist() == [6, 7, 8, 0]
    assert "extra_32x32.mat" in notes[0]
    assert "10 was taken for 0" in notes[1]


def test_labels_as_numbers_of_eight_bytes_are_read_too(tmp_path: Path) -> None:
    files = {f"{split}.mat": _mat(slice(8), y=np.arange(8.0)) for split in ("train", "test")}
    found = arrays_of(Archive(zipped(tmp_path / "a", files), is_tar=False))
    assert found is not None
    assert found.arrays["train_labels"].tolist() == list(range(8))
    assert found.notes == []


def _cifar(protocol: int, key: str, classes: list[bytes]) -> dict[str, bytes]:
    def batch(part: slice) -> bytes:
        pixels = np.repeat(IMAGES.reshape(12, 30), 103, axis=1)[part, : 3 * 32**2]
        return pickle.dumps({b"data": pixels, key.encode(): LABELS[part].tolist()}, protocol)

    names = {b"fine_label_names" if key == "fine_labels" else b"label_names": classes}
    if key == "fine_labels":
        parts = {"train": batch(slice(8)), "test": batch(slice(8, 12)), "meta": pickle.dumps(names, protocol)}
    else:
        parts = {"data_batch_1": batch(slice(4)), "data_batch_2": batch(slice(4, 8)), "test_batch": batch(slice(8, 12))}
        parts["batches.meta"] = pickle.dumps(names, protocol)
    return {f"cifar/{name}": content for name, content in parts.items()}


@pytest.mark.parametrize("key", ["labels", "fine_labels"])
@pytest.mark.parametrize("protocol", [2, 4])
def test_pickles_of_cifar(tmp_path: Path, key: str, protocol: int) -> None:
    files = _cifar(protocol, key, [b"a", b"b", b"c"])
    found = arrays_of(Archive(tarred(tmp_path / "a", files), is_tar=True))
    assert found is not None
    found, _ = found
    assert found["train_images"].shape == (8, 3, 32, 32)
    assert found["test_labels"].tolist() == LABELS[8:].tolist()
    assert found["classes"].tolist() == ["a", "b", "c"]


class _Acts:
    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return eval, ("1",)


@pytest.mark.parametrize(("files", "message"), [
    (_files() | {"train-images.idx3-ubyte": _idx(IMAGES)}, "two files for train images"),
    ({"images-idx3-ubyte": _idx(IMAGES)}, "does not say which split"),
    ({"train-images-idx3-ubyte": _idx(IMAGES)[:-1]}, r"says that it holds 376 bytes, and has 375"),
    ({"train.mat": b"MATLAB 7.3 MAT-file, Platform: GLNXA64" + bytes(500)}, r"'train\.mat' cannot .* version 7\.3"),
    ({"train.mat": b"x" * 500}, "no MATLAB file of version 5"),
    ({"train.mat": _mat(slice(8))[:-9]}, "and has"),
    ({"train.mat": _mat(slice(8), X=None)}, "none of SVHN's"),
    ({"train.mat": _mat(slice(8), y=DIGITS)}, "none of SVHN's"),
    ({"train.mat": _mat(slice(8), y="eight")}, "its 'y' is no array of numbers"),
    ({"train.mat": _mat(slice(8), X=np.ones((2, 2, 3, 8), complex))}, "its 'X' is no array of numbers"),
    (_cifar(2, "fine_labels", []) | {"cifar/train": pickle.dumps({b"data": _Acts()}, 2)}, "asks for .*eval"),
    (_cifar(2, "fine_labels", []) | {"cifar/train": pickle.dumps({b"data": IMAGES}, 2)}, "no batch of CIFAR's"),
])  # fmt: skip
def test_what_is_none_of_these_is_told(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        arrays_of(Archive(zipped(tmp_path / "a", files), is_tar=False))


def test_pictures_are_no_arrays(tmp_path: Path) -> None:
    assert arrays_of(Archive(zipped(tmp_path / "a", by_class(2)), is_tar=False)) is None
