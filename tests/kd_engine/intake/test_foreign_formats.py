"""What nobody here reads is called by its name, with the way to what is read."""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import get_args

import pytest

from kd_engine.intake import foreign_formats
from kd_engine.intake.formats import FORMATS, in_words, sniff
from tests.kd_engine.intake.archives import picture, zipped

CSV = b"\n".join(b"image_%d.png,%d" % (row, row % 3) for row in range(100))


def words(content: bytes, wanted: foreign_formats.Wanted = "data set") -> str:
    file = io.BytesIO(content)
    return in_words(file, sniff(file), wanted)


@pytest.mark.parametrize(
    ("content", "what", "advice"),
    [
        (b"Rar!\x1a\x07\x01\x00" + b"\0" * 600, "a RAR archive", "as zip"),
        (b"7z\xbc\xaf\x27\x1c" + b"\0" * 600, "a 7-Zip archive", "as zip"),
        (b"\x89HDF\r\n\x1a\n" + b"\0" * 600, "an HDF5 file", "numpy.savez"),
        (picture(), "a single picture (PNG)", "a folder for each class"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF" + b"\0" * 600, "a single picture (JPEG)", "a folder for each class"),
        (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", "a web page", "send the file itself"),
        (b"\xef\xbb\xbf\r\n<HTML lang='en'>", "a web page", "send the file itself"),
        (CSV, "a table as text (csv)", "numpy.savez"),
        (CSV.replace(b",", b"\t"), "a table as text (csv)", "numpy.savez"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n", "a pointer of Git LFS", "git lfs pull"),
        (b'{"images": []}', "text (JSON)", "numpy.savez"),
        ("Grüße\nund mehr".encode(), "text", ""),
        (os.urandom(8) + b"\0\n\r" + b"\1" * 600, "not known here", ""),
    ],
)
def test_a_file_is_called_what_it_is(content: bytes, what: str, advice: str) -> None:
    said = words(content)
    assert what in said
    assert advice in said


def test_a_network_in_another_format_is_told_the_way_to_onnx() -> None:
    assert "model.export(" in words(b"\x89HDF\r\n\x1a\n" + b"\0" * 600, "network")
    assert "tf2onnx" in words(b"\x1c\0\0\0TFL3" + b"\0" * 600, "network")


def test_text_that_is_cut_in_a_character_is_text() -> None:
    assert words("ü".encode() * 4000) == words(b"x" + "ü".encode() * 4000) == "text"


def test_what_curl_makes_of_a_binary_file_with_data_is_told(tmp_path: Path) -> None:
    archive = zipped(tmp_path / "a.zip", {f"{label}/{place}.png": picture() for label in "ab" for place in range(9)})
    whole = archive.read_bytes()
    sent = bytes(byte for byte in whole if byte not in b"\0\r\n")  # as the manual of curl says of --data
    assert sniff(io.BytesIO(whole)) == "zip"
    assert "--data-binary @FILE" in words(sent)


@pytest.mark.parametrize("wanted", get_args(foreign_formats.Wanted))
def test_every_format_has_words_for_either_wish(wanted: foreign_formats.Wanted) -> None:
    for found in FORMATS:
        said = in_words(io.BytesIO(), found, wanted)
        assert said
        assert not said.endswith(".")
