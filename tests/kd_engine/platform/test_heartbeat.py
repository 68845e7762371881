"""Signs of life: told where a run is watched, now and then, and by every stretch that may take long."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kd_engine.data.readers.arrays import NAMES
from kd_engine.images.decode import identify
from kd_engine.images.decode_cache import load_pictures
from kd_engine.intake.archive import Archive
from kd_engine.intake.arrays import load_arrays
from kd_engine.intake.inspect_image import in_threads
from kd_engine.models.foreign import keys_of
from kd_engine.platform import heartbeat
from kd_engine.platform.files import sha256_of
from kd_engine.platform.heartbeat import one_call, sign, signs_to
from kd_engine.schema.events import Event, Working
from tests.kd_engine.intake.archives import by_class, zipped


@pytest.fixture
def heard() -> Iterator[list[Working]]:
    """What is told within the test."""
    told: list[Working] = []

    def emit(event: Event) -> None:
        assert isinstance(event, Working)
        told.append(event)

    with signs_to(emit):
        yield told


@pytest.fixture
def every(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every sign is told, not one a second."""
    monkeypatch.setattr(heartbeat, "_EVERY_SECONDS", 0.0)


def test_few_of_many_are_told(heard: list[Working]) -> None:
    for _ in range(10_000):
        sign("counting")
    assert len(heard) < 100


def test_nobody_hears_them_elsewhere() -> None:
    sign("counting")
    with one_call("compiling", seconds=3600):
        pass


@pytest.mark.usefixtures("every")
def test_one_call_says_how_long_it_may_take_and_that_it_is_done(heard: list[Working]) -> None:
    def compile_it() -> None:
        with one_call("compiling", seconds=3600):
            assert [(one.doing, one.patience_seconds) for one in heard] == [("compiling", 3600)]
            raise ValueError("no compiler")

    with pytest.raises(ValueError, match="no compiler"):
        compile_it()
    assert [(one.doing, one.patience_seconds) for one in heard[1:]] == [("through with compiling", None)]


def test_a_larger_file_may_take_longer_and_a_small_one_needs_no_word(heard: list[Working]) -> None:
    with one_call("writing", size=1000):
        pass
    assert not heard
    with one_call("writing", size=10**9):
        pass
    assert heard[0].patience_seconds == 200


def _picture(folder: Path) -> list[tuple[Path, str]]:
    buffer = io.BytesIO()
    Image.new("RGB", (4, 4), "red").save(buffer, "PNG")
    (folder / "a.png").write_bytes(buffer.getvalue())
    return [(folder / "a.png", "a.png")]


def _hash(folder: Path) -> None:
    sha256_of(_picture(folder)[0][0])


def _decode(folder: Path) -> None:
    load_pictures({"train": identify(_picture(folder))}, 4, 4, folder / "cache")


def _list(folder: Path) -> None:
    Archive(zipped(folder / "a.zip", by_class(3)), is_tar=False)


def _look(folder: Path) -> None:
    list(in_threads(str, [1, 2, 3], lambda item: 1))


def _unpack(folder: Path) -> None:
    np.savez(folder / "a.npz", **{name: np.zeros(100, np.uint8) for name in NAMES})
    load_arrays(folder / "a.npz")


def _recognise(folder: Path) -> None:
    keys_of(torch.zeros(2, 1, 4, 4, dtype=torch.uint8))


@pytest.mark.usefixtures("every")
@pytest.mark.parametrize(
    ("stretch", "told"),
    [
        (_hash, {"hashing a file"}),
        (_decode, {"reading pictures", "decoding pictures", "hashing the data set"}),
        (_list, {"listing the archive"}),
        (_look, {"looking at pictures"}),
        (_unpack, {"unpacking"}),
        (_recognise, {"recognising images"}),
    ],
)
def test_what_may_take_long_gives_signs(
    heard: list[Working], tmp_path: Path, stretch: Callable[[Path], None], told: set[str]
) -> None:
    stretch(tmp_path)
    assert {one.doing for one in heard} == told
