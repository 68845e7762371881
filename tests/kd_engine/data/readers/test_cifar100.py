"""CIFAR-100's files: two labels an image, of which the fine one counts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from kd_engine.catalog import DATASETS
from kd_engine.data.dataset import RawData, content_sha256, load
from kd_engine.data.readers import cifar
from kd_engine.jobspec import DatasetSpec
from kd_engine.schema.errors import DataError
from tests.kd_engine.data.conftest import md5, python2_pickle

COUNTS = {"train": 200, "test": 100}


@dataclass
class Small:
    """A little CIFAR-100: pixels [N, 3072] and fine labels by file."""

    folder: Path
    parts: dict[str, tuple[NDArray[np.uint8], list[int]]] = field(default_factory=dict)

    def lay(self, *, binary: bool) -> None:
        for name, (pixels, labels) in self.parts.items():
            fine = np.array(labels, np.uint8)
            records = np.column_stack([fine // 5, fine, pixels]).tobytes()
            path = self.folder / ("cifar-100-binary" if binary else "cifar-100-python") / name
            path.parent.mkdir(exist_ok=True)
            path = path.with_name(f"{name}.bin") if binary else path
            path.write_bytes(records if binary else python2_pickle(pixels, labels, b"fine_labels"))


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Small:
    """A little CIFAR-100 that the reader takes for the published one."""
    random = np.random.default_rng(1)
    made = Small(tmp_path)
    for name, count in COUNTS.items():
        pixels = random.integers(0, 256, (count, 3072), dtype=np.uint8)
        made.parts[name] = (pixels, random.permutation(np.arange(count) % 100).tolist())
    sums = {name: md5(python2_pickle(*part, b"fine_labels")) for name, part in made.parts.items()}
    monkeypatch.setattr(cifar, "CIFAR100", replace(cifar.CIFAR100, counts=COUNTS, python_md5=sums))
    row = replace(DATASETS["cifar100"], train=COUNTS["train"], test=COUNTS["test"], validation=100)
    monkeypatch.setitem(DATASETS, "cifar100", row)
    return made


def read(folder: Path) -> RawData:
    return cifar.read_cifar100(folder, DATASETS["cifar100"].find(folder))


@pytest.mark.parametrize("binary", [True, False], ids=["binary", "python"])
def test_fine_labels_and_pixels(small: Small, binary: bool) -> None:
    small.lay(binary=binary)

    raw = read(small.folder)

    assert raw.train_labels.tolist() == small.parts["train"][1]
    assert raw.test_labels.tolist() == small.parts["test"][1]
    assert np.array_equal(raw.train_images.flatten(1).numpy(), small.parts["train"][0])
    assert raw.test_images.shape == (100, 3, 32, 32)


def test_both_layouts_hold_the_same_data(small: Small) -> None:
    small.lay(binary=False)
    from_pickles = content_sha256(read(small.folder))
    small.lay(binary=True)

    assert content_sha256(read(small.folder)) == from_pickles


def test_by_name(small: Small) -> None:
    small.lay(binary=True)

    data = load(DatasetSpec(name="cifar100").resolved(), small.folder, download=False)

    assert [len(data.train), len(data.validation), len(data.test)] == [100, 100, 100]
    assert data.validation.labels_N.bincount().tolist() == [1] * 100
    assert data.classes[19] == "cattle"
    assert data.facts is not None
    assert data.facts.mean == (0.5071, 0.4867, 0.4408)


def test_unequal_classes_are_told_by_the_least_and_the_most(small: Small) -> None:
    small.parts["test"][1][0] = small.parts["test"][1][1]
    small.lay(binary=True)

    with pytest.raises(DataError, match=r"test\.bin hold 0 to 2 images of the classes 0 to 99; expected 1 of each"):
        read(small.folder)


def test_a_truncated_file_is_found(small: Small) -> None:
    small.lay(binary=True)
    path = small.folder / "cifar-100-binary" / "train.bin"
    path.write_bytes(path.read_bytes()[:-3074])

    with pytest.raises(DataError, match=r"has 611,726 bytes .* expected 614,800"):
        read(small.folder)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'cifar100' is not present: looked for .*cifar-100-binary"):
        read(tmp_path)
