"""However a library says that there is no memory: it is told from what was sent being wrong."""

from __future__ import annotations

import errno
import io
from collections.abc import Callable

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper

from kd_engine.intake import inspect_image as surveys
from kd_engine.models.onnx_session import OnnxSession
from kd_engine.platform.out_of_memory import shortage_behind
from kd_engine.schema.errors import DataError

_TOO_MUCH = 2**45  # bytes: more than an address space has left


def _torch() -> object:
    return torch.empty(_TOO_MUCH, dtype=torch.uint8)


def _numpy() -> object:
    return np.empty(_TOO_MUCH, np.uint8)


def _python() -> object:
    return bytes(_TOO_MUCH)


def _onnx() -> object:
    """A model that repeats its input as often as it says itself."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])
    output = helper.make_tensor_value_info("output", TensorProto.FLOAT, ["N"])
    shape = helper.make_tensor("shape", TensorProto.INT64, [1], [_TOO_MUCH // 4])
    node = helper.make_node("Expand", ["image", "shape"], ["output"])
    graph = helper.make_graph([node], "greedy", [image], [output], [shape])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    content = io.BytesIO()
    onnx.save_model(model, content)
    return OnnxSession(content.getvalue()).run(np.ones(1, np.float32))


def _system() -> object:
    raise OSError(errno.ENOMEM, "Cannot allocate memory")


@pytest.mark.parametrize("ask", [_torch, _numpy, _python, _onnx, _system])
def test_want_of_memory_is_known_also_behind_what_it_was_taken_for(ask: Callable[[], object]) -> None:
    with pytest.raises(DataError) as caught:
        _read(ask)
    assert shortage_behind(caught.value) is caught.value.__cause__
    assert shortage_behind(caught.value) is not None


def _read(ask: Callable[[], object]) -> None:
    try:
        ask()
    except Exception as error:
        raise DataError("what was sent is broken.") from error


def test_other_errors_are_not_taken_for_it() -> None:
    for error in (
        ValueError("no"),
        OSError(errno.ENOSPC, "full"),
        DataError("a class named bad_alloc"),
        RuntimeError(),
    ):
        assert shortage_behind(error) is None


def test_a_picture_is_not_called_broken_for_want_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(surveys, "upright", lambda content: bytes(_TOO_MUCH))
    with pytest.raises(MemoryError):
        surveys.survey(b"a picture", thumbnail=False)
