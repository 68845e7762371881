"""An ONNX model with its weights beside it, as PyTorch writes it (`model.onnx` and `model.onnx.data`), in one zip.

The weights are taken out of plain members of the same archive and nowhere else: nothing that a model says of a path is
ever opened.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import onnx

from kd_engine.intake.archive import Archive, Member
from kd_engine.schema.errors import DataError

_MOST_BYTES = 2**29 - 2**26  # of all weights: they are answered in one piece, with the rest of the model
_TO_SEND = "send one file (torch.onnx.export(..., external_data=False)), or a zip of it with the file of its weights"
_MAGIC = b"PK\x03\x04"


def is_zip(path: Path) -> bool:
    """Whether the file is an archive, and not a model."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


def in_one(path: Path) -> onnx.ModelProto:
    """The model of the archive with all its weights in it.

    Raises:
        DataError: there is not one model, a file of weights is missing, or they are too large.
    """
    archive = Archive(path, is_tar=False)
    plain = [member for member in archive.members if not _of_a_mac(member.name)]
    models = [member for member in plain if member.name.endswith(".onnx")]
    if len(models) != 1:
        names = ", ".join(f"'{member.name}'" for member in models[:3])
        raise DataError(f"the zip holds {len(models)} ONNX models{f' ({names})' if names else ''}; expected one.")
    [[_, content]] = archive.contents(models)
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own
        raise DataError(f"'{models[0].name}' is not an ONNX model: {str(error)[:200]}") from error
    folder = models[0].name.rpartition("/")[0]
    outside = [tensor for tensor in tensors(model) if is_outside(tensor)]
    beside = {member.name.removeprefix(f"{folder}/" if folder else ""): member for member in plain}
    wanted = {_location(tensor): None for tensor in outside}
    for name in wanted:
        if name not in beside:
            raise DataError(
                f"the ONNX model keeps weights in '{name[:200]}', and the zip holds "
                f"{', '.join(sorted(beside)[:5])}; pack the file of the weights beside the model, under that name."
            )
    _fill(outside, archive, {beside[name]: name for name in wanted})
    return model


def tensors(model: onnx.ModelProto) -> Iterator[Any]:
    """All tensors, wherever they stand: in graphs, in graphs inside them, in functions, in what is to come."""
    return (part for part in messages(model) if isinstance(part, onnx.TensorProto))


def messages(model: Any) -> Iterator[Any]:
    """All parts of a model."""
    waiting = [model]
    while waiting:
        message = waiting.pop()
        yield message
        for field, value in message.ListFields():
            if field.message_type is not None:
                waiting.extend([value] if hasattr(value, "ListFields") else value)


def is_outside(tensor: Any) -> bool:
    """Whether a tensor's numbers are in another file."""
    return bool(tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data)


def refuse_outside(model: onnx.ModelProto) -> None:
    """Raises DataError where numbers of the model are in other files, wherever it keeps them."""
    for tensor in tensors(model):
        if is_outside(tensor):
            raise DataError(f"the ONNX model keeps weights in other files ('{_location(tensor)[:200]}'); {_TO_SEND}.")


def _fill(outside: list[Any], archive: Archive, wanted: Mapping[Member, str]) -> None:
    """Puts the numbers where they belong. All together they are no more than the files have: no byte comes twice."""
    total = sum(member.size for member in wanted)
    if total > _MOST_BYTES:
        raise DataError(
            f"the weights have {total:,} bytes; at most {_MOST_BYTES:,} are taken in a zip. Send one file instead "
            "(torch.onnx.export(..., external_data=False))."
        )
    for member, content in archive.contents(wanted):
        left = len(content)
        for tensor in outside:
            if _location(tensor) != wanted[member]:
                continue
            offset, length = _place(tensor, len(content))
            left -= length
            if offset < 0 or length < 0 or offset + length > len(content) or left < 0:
                raise DataError(
                    f"the weights '{tensor.name[:100]}' do not lie where the model says, in '{wanted[member][:100]}' "
                    f"of {len(content):,} bytes; pack the two files that were written together."
                )
            tensor.raw_data = content[offset : offset + length]
    for tensor in outside:
        del tensor.external_data[:]
        tensor.data_location = onnx.TensorProto.DEFAULT


def _location(tensor: Any) -> str:
    return _said(tensor).get("location", "")


def _place(tensor: Any, size: int) -> tuple[int, int]:
    said = _said(tensor)
    try:
        offset = int(said.get("offset", "0"))
        return offset, int(said["length"]) if "length" in said else size - offset
    except ValueError:
        return -1, -1


def _said(tensor: Any) -> dict[str, str]:
    return {entry.key: entry.value for entry in tensor.external_data}


def _of_a_mac(name: str) -> bool:
    """What macOS adds to archives."""
    return name.startswith("__MACOSX/") or name.rpartition("/")[2].startswith("._")
