"""A model with its weights beside it in one zip, and only there."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from kd_engine.intake.formats import sniff
from kd_engine.intake.onnx_zip import in_one, refuse_outside
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.networks import linear_onnx


def split(**said: str) -> tuple[bytes, bytes]:
    """A model and the file of its weights, as PyTorch writes them; or with something else said of where they lie."""
    model = onnx.load_model_from_string(linear_onnx(["N", 64]))
    data = b""
    for tensor in model.graph.initializer:
        content = tensor.raw_data
        entries = {"location": "m.onnx.data", "offset": str(len(data)), "length": str(len(content))} | said
        data += content
        tensor.ClearField("raw_data")
        tensor.data_location = onnx.TensorProto.EXTERNAL
        for key, value in entries.items():
            tensor.external_data.add(key=key, value=value)
    return model.SerializeToString(), data


def zipped(path: Path, files: Mapping[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("folder", ["", "export/"])
def test_both_become_one(tmp_path: Path, folder: str) -> None:
    model, data = split()
    path = zipped(
        tmp_path / "a.zip", {f"{folder}m.onnx": model, f"{folder}m.onnx.data": data, "__MACOSX/._m.onnx": b"x"}
    )
    with path.open("rb") as file:
        assert sniff(file) == "onnx"
    found = in_one(path)
    refuse_outside(found)
    whole = onnx.load_model_from_string(linear_onnx(["N", 64]))
    for tensor, expected in zip(found.graph.initializer, whole.graph.initializer, strict=True):
        np.testing.assert_array_equal(numpy_helper.to_array(tensor), numpy_helper.to_array(expected))


@pytest.mark.parametrize(("said", "message"), [
    ({"location": "/etc/passwd"}, "keeps weights in '/etc/passwd', and the zip holds m.onnx, m.onnx.data"),
    ({"location": "../m.onnx.data"}, "under that name"),
    ({"offset": "1000000"}, "do not lie where the model says"),
    ({"offset": "-4"}, "do not lie where the model says"),
    ({"length": "1000000"}, "do not lie where the model says"),
    ({"length": "many"}, "do not lie where the model says"),
    ({"offset": "0", "length": "2000"}, "do not lie where the model says"),  # the same bytes for all of them
])  # fmt: skip
def test_what_lies_elsewhere_is_refused(tmp_path: Path, said: dict[str, str], message: str) -> None:
    model, data = split(**said)
    with pytest.raises(DataError, match=message):
        in_one(zipped(tmp_path / "a.zip", {"m.onnx": model, "m.onnx.data": data}))


def test_a_zip_of_two_models_or_of_a_model_alone_is_told(tmp_path: Path) -> None:
    model, data = split()
    with pytest.raises(DataError, match="holds 2 ONNX models"):
        in_one(zipped(tmp_path / "a.zip", {"a.onnx": model, "b.onnx": model, "m.onnx.data": data}))
    with pytest.raises(DataError, match=r"keeps weights in 'm\.onnx\.data', and the zip holds m\.onnx"):
        in_one(zipped(tmp_path / "b.zip", {"m.onnx": model}))


def test_a_model_without_its_weights_is_told_how_to_write_one_file() -> None:
    model, _ = split()
    with pytest.raises(DataError, match=r"'m\.onnx\.data'.*external_data=False"):
        refuse_outside(onnx.load_model_from_string(model))
