"""From a name to three splits in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from kd_engine.catalog import DATASETS
from kd_engine.data.dataset import Dataset, RawData, content_sha256, load
from kd_engine.data.readers import mnist
from kd_engine.jobspec import DatasetSpec
from kd_engine.schema.errors import DataError

if TYPE_CHECKING:
    from tests.kd_engine.data.conftest import Mirror, SmallMnist


def spec(name: str, validation: float | None = None) -> DatasetSpec:
    return DatasetSpec(name=name, validation=validation).resolved()


def digits(validation: float | None = None) -> Dataset:
    return load(spec("digits", validation), Path(), download=False)


def rows(*splits: torch.Tensor) -> list[bytes]:
    return sorted(image.numpy().tobytes() for images in splits for image in images)


def test_digits_in_three_splits() -> None:
    data = digits()

    assert [len(split) for split in (data.train, data.validation, data.test)] == [1257, 180, 360]
    assert data.shape == (1, 8, 8)
    assert data.classes == tuple("0123456789")
    assert data.train.images_NCHW.shape == (1257, 1, 8, 8)
    assert data.train.images_NCHW.dtype == torch.uint8
    assert data.train.labels_N.dtype == torch.int64


@pytest.mark.parametrize(("validation", "images"), [(None, 180), (0.25, 359), (10, 10), (700, 700)])
def test_validation_is_as_large_as_asked_and_stratified(validation: float | None, images: int) -> None:
    data = digits(validation)

    assert len(data.validation) == images
    assert len(data.train) == 1437 - images
    counts = data.validation.labels_N.bincount(minlength=10)
    assert counts.max() - counts.min() <= max(2, images // 50)


def test_train_and_validation_are_all_of_train_and_share_nothing() -> None:
    small, large = digits(100), digits(300)

    both = rows(small.train.images_NCHW, small.validation.images_NCHW)
    assert both == rows(large.train.images_NCHW, large.validation.images_NCHW)
    assert rows(small.test.images_NCHW) == rows(large.test.images_NCHW)


def test_same_spec_same_splits() -> None:
    first, second = digits(), digits()

    for part in ("train", "validation", "test"):
        assert torch.equal(getattr(first, part).images_NCHW, getattr(second, part).images_NCHW)
        assert torch.equal(getattr(first, part).labels_N, getattr(second, part).labels_N)


def test_checksum_is_of_the_data_and_not_of_the_split() -> None:
    assert digits(100).sha256 == digits(300).sha256
    assert digits().sha256 == "16c2e729699c51ee1d3423a584d139c459ca2a339ee028348a570ff0dcb5e25d"


def test_checksum_changes_with_every_image_and_label() -> None:
    def raw() -> RawData:
        return RawData(
            torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.zeros(3, dtype=torch.long),
            torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.zeros(2, dtype=torch.long),
        )  # fmt: skip

    seen = {content_sha256(raw())}
    for part in ("train_images", "train_labels", "test_images", "test_labels"):
        changed = raw()
        getattr(changed, part)[-1] = 1
        seen.add(content_sha256(changed))
    reshaped = replace(raw(), train_images=torch.zeros(3, 4, 1, 1, dtype=torch.uint8))

    assert len(seen | {content_sha256(reshaped)}) == 6


def test_checksum_does_not_depend_on_the_memory_layout() -> None:
    images = torch.randint(0, 256, (3, 2, 4, 4), dtype=torch.uint8)
    labels = torch.arange(3)
    raw = RawData(images, labels, images, labels)
    turned = RawData(images.contiguous(memory_format=torch.channels_last), labels, images, labels)

    assert content_sha256(turned) == content_sha256(raw)


def test_small_mnist_from_either_layout(small_mnist: SmallMnist) -> None:
    small_mnist.lay(zipped=False)
    unzipped = load(spec("mnist"), small_mnist.folder, download=False)
    small_mnist.lay(zipped=True)
    zipped = load(spec("mnist"), small_mnist.folder, download=False)

    assert zipped.sha256 == unzipped.sha256
    assert [len(split) for split in (zipped.train, zipped.validation, zipped.test)] == [30, 10, 20]
    assert zipped.validation.labels_N.bincount().tolist() == [1] * 10
    content = b"".join(
        header + array.tobytes()
        for header, array in (
            (b"torch.uint8(40, 1, 28, 28)", small_mnist.arrays["train-images-idx3-ubyte"]),
            (b"torch.int64(40,)", small_mnist.arrays["train-labels-idx1-ubyte"].astype(np.int64)),
            (b"torch.uint8(20, 1, 28, 28)", small_mnist.arrays["t10k-images-idx3-ubyte"]),
            (b"torch.int64(20,)", small_mnist.arrays["t10k-labels-idx1-ubyte"].astype(np.int64)),
        )
    )
    assert zipped.sha256 == hashlib.sha256(content).hexdigest()


class TestMissing:
    def test_says_where_it_looked_and_how_to_get_it(self, tmp_path: Path) -> None:
        with pytest.raises(DataError) as caught:
            load(spec("mnist"), tmp_path, download=False)

        assert str(caught.value) == DATASETS["mnist"].absence(tmp_path)
        assert list(tmp_path.iterdir()) == []

    def test_is_downloaded_where_that_is_allowed(
        self, small_mnist: SmallMnist, mirror: Callable[..., Mirror], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mnist, "MIRRORS", (mirror().url, mirror(**small_mnist.files).url))

        data = load(spec("mnist"), small_mnist.folder, download=True)

        assert len(data.test) == 20

    def test_a_failed_download_says_both(
        self, small_mnist: SmallMnist, mirror: Callable[..., Mirror], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(mnist, "MIRRORS", (mirror().url,))

        with pytest.raises(DataError) as caught:
            load(spec("mnist"), small_mnist.folder, download=True)

        assert DATASETS["mnist"].absence(small_mnist.folder) in str(caught.value)
        assert "HTTP status 404" in str(caught.value)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"train": 41}, "the train images are torch.uint8 of shape (40, 1, 28, 28); expected torch.uint8 of shape (41"),
        ({"shape": (3, 28, 28)}, "expected torch.uint8 of shape (40, 3, 28, 28)"),
        ({"classes": ("a", "b", "c")}, "the train labels, of shape (40,), run from 0 to 9; expected 40 of them from 0"),
    ],
)
def test_what_does_not_agree_with_the_catalogue_is_refused(
    small_mnist: SmallMnist, monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], message: str
) -> None:
    small_mnist.lay(zipped=True)
    checked = spec("mnist")
    monkeypatch.setitem(DATASETS, "mnist", replace(DATASETS["mnist"], **changes))  # type: ignore[arg-type]

    with pytest.raises(DataError) as caught:
        load(checked, small_mnist.folder, download=False)
    assert message in str(caught.value)


def test_to_moves_every_split() -> None:
    moved = digits().to("meta")

    for split in (moved.train, moved.validation, moved.test):
        assert split.images_NCHW.device.type == split.labels_N.device.type == "meta"
    assert moved.sha256 == digits().sha256


def test_the_real_mnist(real_data: Callable[[str], Path]) -> None:
    data = load(spec("mnist"), real_data("mnist"), download=False)

    assert [len(split) for split in (data.train, data.validation, data.test)] == [55_000, 5_000, 10_000]
    assert data.sha256 == "3ee7f568b8fdc8915ba79f8c2e5cfce6e08e6def379bae044b8ec31ae87c0afb"
