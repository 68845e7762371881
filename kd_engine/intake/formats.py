"""Which format a file is of. By its content: a name is what somebody typed."""

from __future__ import annotations

import os
from itertools import islice
from typing import BinaryIO, Literal

from kd_engine.intake import foreign_formats
from kd_engine.platform import zip_file

Format = Literal["zip", "tar", "npz", "parquet", "safetensors", "onnx", "npy", "pickle", "pt2", "empty", "unknown"]

FORMATS: dict[Format, str] = {
    "zip": "a zip archive",
    "tar": "a tar archive",
    "npz": "numpy arrays",
    "npy": "a single numpy array",
    "parquet": "a parquet table",
    "safetensors": "a safetensors file, which holds a network",
    "onnx": "an ONNX model",
    "pickle": "pickled Python, which is never read because it may run a program",
    "pt2": "a program that torch.export wrote (.pt2)",
    "empty": "empty",
    "unknown": "of a kind that is not known here",
}
"""Each format in words."""

_TAR_MAGIC = 257  # where a tar header says "ustar"
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\x00")  # gzip, bzip2, xz: of those only tar archives are taken
_LONGEST_HEADER = 100 * 2**20  # bytes of JSON that safetensors allows
_WITH_A_MODEL = 50  # files and folders of an archive that is sent for the model in it
_LOOKED_AT = 1000  # names in a zip: what else it is shows in the first ones


def sniff(file: BinaryIO) -> Format:
    """The format of a file, which is read here and there; `unknown` for all that this service does not read."""
    head = file.read(foreign_formats.HEAD)
    if not head:
        return "empty"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zip_or_npz(file, head)
    if foreign_formats.lost_bytes(head):  # whatever it was
        return "unknown"
    if head.startswith(_COMPRESSED) or head[_TAR_MAGIC : _TAR_MAGIC + 5] == b"ustar":
        return "tar"
    if head.startswith(b"\x93NUMPY"):
        return "npy"
    if head.startswith(b"PAR1"):
        return "parquet"
    if head[:1] == b"\x80" and len(head) > 1 and head[1] in range(2, 6):
        return "pickle"
    if _is_safetensors(head, file.seek(0, os.SEEK_END)):
        return "safetensors"
    # a protobuf message whose first field is number 1, a small integer: ONNX's ir_version
    if head[:1] == b"\x08" and len(head) > 2 and 1 <= head[1] <= 20:
        return "onnx"
    return "unknown"


def in_words(file: BinaryIO, found: Format, wanted: foreign_formats.Wanted) -> str:
    """After "the file is": what was found, and what to do where another thing is wanted."""
    return (
        foreign_formats.describe(file, wanted)
        if found == "unknown"
        else FORMATS[found] + foreign_formats.advice(found, wanted)
    )


def _zip_or_npz(file: BinaryIO, head: bytes) -> Format:
    try:
        names = [entry.name for entry in islice(zip_file.entries(file), _LOOKED_AT)]
    except zip_file.BadZip:
        return "unknown" if foreign_formats.lost_bytes(head) else "zip"  # whoever opens it says what is wrong with it
    if names and all(name.endswith(".npy") for name in names):
        return "npz"
    if any(name.endswith("/data.pkl") or name == "data.pkl" for name in names):
        return "pickle"  # as torch.save writes it
    if any(name.endswith(("/models/model.json", "serialized_exported_program.json")) for name in names):
        return "pt2"
    if len(names) <= _WITH_A_MODEL and any(name.endswith(".onnx") for name in names):
        return "onnx"  # with its weights beside it, as PyTorch writes it
    return "zip"


def _is_safetensors(head: bytes, size: int) -> bool:
    length = int.from_bytes(head[:8], "little")
    return head[8:9] == b"{" and 2 <= length <= min(size - 8, _LONGEST_HEADER)
