"""Networks as other tools write them, for the tests of what is sent: made of the digits' own classifier."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LogisticRegression

from kd_engine.data.dataset import RawData
from kd_engine.data.readers.digits import read

SIDE, CLASSES = 8, 10


@cache
def digits() -> RawData:
    """The digits in their publisher's order."""
    return read(Path(), None)


def pixels(part: str = "train") -> NDArray[np.float32]:
    """`[N, 64]` in [0, 1]."""
    images: NDArray[np.uint8] = getattr(digits(), f"{part}_images").numpy()
    return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)


@cache
def classifier() -> LogisticRegression:
    """A linear classifier that was trained on pixels in [0, 1] by scikit-learn."""
    return LogisticRegression(max_iter=500).fit(pixels(), digits().train_labels.numpy())


def logits(part: str) -> NDArray[np.float32]:
    scores: NDArray[np.float32] = classifier().decision_function(pixels(part)).astype(np.float32)
    return scores


def linear_onnx(
    shape: list[Any],
    *,
    order: list[int] | None = None,
    softmax: bool = False,
    scale: float = 1.0,
    external: bool = False,
    inputs: int = 1,
) -> bytes:
    """The classifier as an ONNX model that takes images of `shape` (its first number is the batch).

    Args:
        order: the classes in the order of its outputs.
        softmax: gives probabilities.
        scale: takes pixels in [0, scale].
        external: says that its weights are in another file.
        inputs: how many it says that it takes.
    """
    order = order or list(range(CLASSES))
    weight = numpy_helper.from_array((classifier().coef_[order].T / scale).astype(np.float32), "weight")
    bias = numpy_helper.from_array(classifier().intercept_[order].astype(np.float32), "bias")
    if external:
        weight.data_location = TensorProto.EXTERNAL
        weight.external_data.add(key="location", value="/etc/passwd")
        weight.ClearField("raw_data")
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"], axis=1),
        helper.make_node("Gemm", ["flat", "weight", "bias"], ["scores"]),
    ]
    if softmax:
        nodes.append(helper.make_node("Softmax", ["scores"], ["answers"], axis=1))
    name = "answers" if softmax else "scores"
    graph = helper.make_graph(
        nodes,
        "linear",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)]
        + [helper.make_tensor_value_info(f"more{number}", TensorProto.FLOAT, [1]) for number in range(inputs - 1)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [shape[0], CLASSES])],
        [weight, bias],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def perceptron_onnx(
    layers: list[NDArray[np.float32]], tail: Sequence[onnx.NodeProto] = (), gives: int = TensorProto.FLOAT
) -> bytes:
    """Weights and biases of two layers as an ONNX model that takes rows of pixels.

    Args:
        tail: what comes after the logits, which are called `scores`.
        gives: the type of the last output.
    """
    names = ("first", "bias", "second", "last")
    nodes = [
        helper.make_node("Gemm", ["rows", "first", "bias"], ["hidden"]),
        helper.make_node("Relu", ["hidden"], ["positive"]),
        helper.make_node("Gemm", ["positive", "second", "last"], ["scores"]),
        *tail,
    ]
    graph = helper.make_graph(
        nodes,
        "perceptron",
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["N", len(layers[0])])],
        [helper.make_tensor_value_info(nodes[-1].output[0], gives, None)],
        [numpy_helper.from_array(part, name) for part, name in zip(layers, names, strict=True)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    content: bytes = model.SerializeToString()
    return content


def pooled_onnx(shape: list[Any]) -> bytes:
    """A model that answers with as many scores as there are classes, whatever the size of the images."""
    ones = numpy_helper.from_array(np.ones((1, CLASSES), np.float32), "ones")
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[1, 2, 3]),
        helper.make_node("Flatten", ["mean"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "ones"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "pooled",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, [shape[0], CLASSES])],
        [ones],
    )
    content: bytes = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8
    ).SerializeToString()
    return content


def sklearn_onnx(**options: Any) -> bytes:
    """The classifier as scikit-learn's own exporter writes it."""
    from skl2onnx import to_onnx

    model: onnx.ModelProto = to_onnx(classifier(), pixels()[:1], target_opset=15, **options)
    content: bytes = model.SerializeToString()
    return content


def quantised_dynamically(content: bytes) -> bytes:
    """As onnxruntime's own tool leaves it: the ranges are those of the batch."""
    from onnxruntime.quantization import quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        before, after = Path(folder) / "before.onnx", Path(folder) / "after.onnx"
        before.write_bytes(content)
        quantize_dynamic(str(before), str(after))
        return after.read_bytes()
