"""Networks that are not what they say, for `test_bounded_readers`. Each has some kilobytes."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from kd_engine.networks.network import METADATA_KEY
from tests.kd_engine.intake.networks import CLASSES, linear_onnx

_FLOAT = TensorProto.FLOAT


def _model(nodes: Sequence[onnx.NodeProto], batch: int | str = "N", **also: Any) -> onnx.ModelProto:
    """Images `[N, 64]` to scores `[N, 10]`; `nodes` make `more`, of which the largest is added."""
    graph = helper.make_graph(
        [
            helper.make_node("Slice", ["images", "from", "to", "axis"], ["first"]),
            *nodes,
            helper.make_node("ReduceMax", ["more"], ["most"], keepdims=0),
            helper.make_node("Add", ["first", "most"], ["scores"]),
        ],
        "lie",
        [helper.make_tensor_value_info("images", _FLOAT, [batch, 64])],
        [helper.make_tensor_value_info("scores", _FLOAT, [batch, CLASSES])],
        [_numbers("from", 0), _numbers("to", CLASSES), _numbers("axis", 1), *also.pop("initializer", ())],
    )
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), *also.pop("opsets", ())], ir_version=8, **also
    )


def _numbers(name: str, *values: int) -> onnx.TensorProto:
    return helper.make_tensor(name, TensorProto.INT64, [len(values)], values)


def _external(name: str = "more") -> onnx.TensorProto:
    tensor = TensorProto(name=name, data_type=_FLOAT, dims=[4], data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key="location", value="version")
    return tensor


def _constant() -> onnx.NodeProto:
    return helper.make_node("Constant", [], ["more"], value=_external())


def _in_branch() -> bytes:
    branch = helper.make_graph([_constant()], "branch", [], [helper.make_tensor_value_info("more", _FLOAT, [4])])
    condition = helper.make_tensor("is", TensorProto.BOOL, [], [True])
    node = helper.make_node("If", ["is"], ["more"], then_branch=branch, else_branch=branch)
    return _bytes(_model([node], initializer=[condition]))


def _in_function() -> bytes:
    function = helper.make_function("own", "Secret", [], ["more"], [_constant()], [helper.make_opsetid("", 17)])
    node = helper.make_node("Secret", [], ["more"], domain="own")
    return _bytes(_model([node], functions=[function], opsets=[helper.make_opsetid("own", 1)]))


def _sparse() -> bytes:
    model = onnx.load_model_from_string(linear_onnx(["N", 64]))
    model.graph.sparse_initializer.add(values=_external(), indices=_numbers("places", 0), dims=[64])
    return _bytes(model)


def _in_training() -> bytes:
    model = onnx.load_model_from_string(linear_onnx(["N", 64]))
    model.training_info.add().initialization.initializer.append(_external())
    return _bytes(model)


def _filled(count: int) -> bytes:
    return _bytes(
        _model([helper.make_node("ConstantOfShape", ["size"], ["more"])], initializer=[_numbers("size", count)])
    )


def _by_the_batch() -> bytes:
    nodes = [helper.make_node("Tile", ["images", "times"], ["more"])]
    return _bytes(_model(nodes, initializer=[_numbers("times", 1, 2**18)]))


def _endless() -> bytes:
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Sin", ["kept"], ["next"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("kept", _FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", _FLOAT, None),
        ],
    )
    condition = helper.make_tensor("is", TensorProto.BOOL, [], [True])
    return _bytes(
        _model([helper.make_node("Loop", ["", "is", "images"], ["more"], body=body)], initializer=[condition])
    )


def _many_at_once() -> bytes:
    return _bytes(_model([helper.make_node("Identity", ["images"], ["more"])], batch=2**27))


def _bytes(model: onnx.ModelProto) -> bytes:
    content: bytes = model.SerializeToString()
    return content


def _weights(header: Any, content: bytes = b"", length: int | None = None) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + content


def _own(model: str, params: dict[str, Any], **changes: Any) -> bytes:
    """A file that says that it holds a network of ours."""
    about: dict[str, Any] = {
        "model": model, "params": params, "shape": [1, 8, 8], "classes": [str(label) for label in range(CLASSES)],
        "mean": [0.0], "std": [1.0],
    }  # fmt: skip
    said = {"architecture": about | changes, "precision": "float32"}
    return _weights({"__metadata__": {METADATA_KEY: json.dumps(said)}})


def _logits(shape: tuple[int, ...]) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, train=np.zeros(shape, np.float16), test=np.zeros((2, CLASSES), np.float16))
    return file.getvalue()


_ELSEWHERE, _TOO_MUCH, _UNREADABLE = "keeps weights in other files", "MiB of memory", "safetensors file cannot be read"


def _beside(location: str = "w", times: int = 1, size: int = 4, claims: int | None = None) -> bytes:
    """A zip of a model and of the file of its weights, which so many tensors are to be read from."""
    tensors = [_external(f"more{number}") for number in range(times)]
    for tensor in tensors:
        tensor.external_data[0].value = location
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m.onnx", _bytes(_model([], initializer=tensors)))
        archive.writestr("w", bytes(size))
    content = file.getvalue()
    return content if claims is None else content.replace(struct.pack("<I", size), struct.pack("<I", claims))


LIES: dict[str, dict[str, tuple[Callable[[], bytes], str]]] = {
    "onnx, with its weights": {
        "a file of this machine": (lambda: _beside("/proc/self/environ"), "keeps weights in '/proc/self/environ'"),
        "a file of another folder": (lambda: _beside("../w"), "under that name"),
        "the same megabytes for each tensor": (lambda: _beside(times=1000, size=2**24), "do not lie where"),
        "more weights than are there": (lambda: _beside(size=2**20, claims=2**27), "says that it has"),
        "a gigabyte of nothing": (lambda: _beside(size=2**20, claims=2**30), "at most"),
    },
    "onnx, looked into": {
        "another file's numbers, among the weights": (lambda: linear_onnx(["N", 64], external=True), _ELSEWHERE),
        "in a node": (lambda: _bytes(_model([_constant()])), _ELSEWHERE),
        "in a branch": (_in_branch, _ELSEWHERE),
        "in a function": (_in_function, _ELSEWHERE),
        "among sparse weights": (_sparse, _ELSEWHERE),
        "in what was for training": (_in_training, _ELSEWHERE),
    },
    "onnx": {
        "another file's numbers in a function": (_in_function, _ELSEWHERE),
        "a tensor of gigabytes": (lambda: _filled(2**32), _TOO_MUCH),
        "a tensor that grows with the batch": (_by_the_batch, _TOO_MUCH),
        "a batch of millions": (_many_at_once, _TOO_MUCH),
    },
    "onnx, for a second": {"a loop without an end": (_endless, "takes more than 1 seconds")},
    "safetensors": {
        "a header of exabytes": (lambda: _weights({}, length=2**63), _UNREADABLE),
        "a header that is not there": (lambda: _weights({}, length=2**20), _UNREADABLE),
        "weights without a network": (
            lambda: _weights({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}, bytes(4)),
            "name it with model",
        ),
        "a network of billions": (lambda: _own("mlp", {"hidden": [10_000, 10_000]}), "numbers, and the file has"),
        "room for a billion logits": (lambda: _own("logits", {"images": 10**9, "classes": 10}), "was made elsewhere"),
        "an ONNX model that nobody looked at": (lambda: _own("onnx", {"size": 2**40}), "was made elsewhere"),
        "an ensemble of ensembles": (
            lambda: _own("ensemble", {"members": [{"model": "ensemble", "params": {}, "shape": [], "classes": [],
                                                   "mean": [], "std": []}]}), "was made elsewhere",
        ),
        "a network that says nothing of itself": (
            lambda: _weights({"__metadata__": {METADATA_KEY: "{}"}}), "says of itself is damaged",
        ),
    },
    "safetensors, named": {
        "a tensor that is not there": (
            lambda: _weights({"a": {"dtype": "F32", "shape": [2**30], "data_offsets": [0, 2**32]}}), _UNREADABLE,
        ),
        "a shape that is not there": (
            lambda: _weights({"a": {"dtype": "F32", "shape": [2**30], "data_offsets": [0, 4]}}, bytes(4)), _UNREADABLE,
        ),
        "too few weights": (lambda: _weights({}), "numbers, and the file has"),
    },
    "logits": {
        "of images that are not there": (lambda: _logits((500_000, 10)), "expected floating-point numbers of shape"),
    },
}  # fmt: skip
