"""A pickle can hold arrays here, and nothing that acts."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kd_engine.data.readers.restricted_pickle import load_arrays
from kd_engine.schema.errors import DataError
from tests.kd_engine.data.conftest import python2_pickle

PATH = Path("some/data_batch_1")


class Acts:
    """Calls `function` with `arguments` when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return self.function, self.arguments


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_arrays_lists_and_bytes_come_back(protocol: int) -> None:
    array = np.arange(12, dtype=np.uint8).reshape(3, 4)
    content = pickle.dumps({b"data": array, b"labels": [1, 2], b"name": b"x"}, protocol=protocol)
    if protocol == 5:
        with pytest.raises(DataError, match="_frombuffer"):  # newer than any published file, and not needed
            load_arrays(content, PATH)
        return

    loaded = load_arrays(content, PATH)

    assert np.array_equal(loaded[b"data"], array)
    assert loaded[b"data"].dtype == np.uint8
    assert loaded[b"labels"] == [1, 2]


def test_what_python_2_wrote_comes_back_with_bytes_for_its_text() -> None:
    array = np.arange(200, dtype=np.uint8).reshape(2, 100)

    loaded = load_arrays(python2_pickle(array, [3, 9]), PATH)

    assert np.array_equal(loaded[b"data"], array)
    assert loaded[b"labels"] == [3, 9]


def hostile(tmp_path: Path) -> list[tuple[str, bytes, Path]]:
    """Pickles that would leave a file behind, if anything in them ran."""
    mark = tmp_path / "ran"
    script = f"touch {mark}"
    return [
        ("posix.system", pickle.dumps({b"data": Acts(os.system, script)}), mark),
        ("builtins.exec", pickle.dumps({b"data": Acts(exec, f"open({str(mark)!r}, 'w')")}), mark),
        ("builtins.eval", pickle.dumps(Acts(eval, f"open({str(mark)!r}, 'w')")), mark),
        ("io.open", pickle.dumps([Acts(open, str(mark), "w")]), mark),
        ("posix.system", b"cposix\nsystem\n(U" + bytes([len(script)]) + script.encode() + b"tR.", mark),
        ("numpy.load", b"cnumpy\nload\n(U\x01xtR.", mark),
        ("kd_engine.schema.errors.DataError", pickle.dumps({b"data": DataError("x")}), mark),
        ("numpy.ndarray.tofile", b"\x80\x04\x8c\x05numpy\x8c\x0endarray.tofile\x93.", mark),
    ]


@pytest.mark.parametrize("number", range(8))
def test_a_hostile_pickle_is_refused_by_name_and_does_nothing(number: int, tmp_path: Path) -> None:
    name, content, mark = hostile(tmp_path)[number]

    with pytest.raises(DataError) as caught:
        load_arrays(content, PATH)

    assert f"it asks for {name}, which no data file needs" in str(caught.value)
    assert str(PATH) in str(caught.value)
    assert not mark.exists()


def test_these_pickles_are_hostile_indeed(tmp_path: Path) -> None:
    _, content, mark = hostile(tmp_path)[0]

    pickle.loads(content)

    assert mark.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is refused: "),
        (b"\x80\x02}(U", "is refused: "),
        (b"<html>not found</html>", "is refused: "),
        (pickle.dumps([1, 2]), "holds a list; expected a dict"),
        (b"cnumpy\nndarray\n(U\x01xtR.", "is refused: "),
        (b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f", "is refused: "),
    ],
)
def test_what_is_no_pickle_of_arrays(content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_arrays(content, PATH)
