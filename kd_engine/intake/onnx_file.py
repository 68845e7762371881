"""An ONNX model from outside: what it takes, what it gives, and that it is nothing but a model.

Shapes: B images in a batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from torch import Tensor

from kd_engine.errors import DataError
from kd_engine.models.foreign import OnnxNetwork, OnnxParams, Output, laid_out
from kd_engine.onnx_session import OnnxSession

_TENSORS = ("tensor(float)", "tensor(double)", "tensor(float16)")
_INPUTS = (*_TENSORS, "tensor(uint8)")
_USUAL = ("logits", "output", "probabilities", "output_probability")


def onnx_network(content: bytes, pixels_BCHW: Tensor, classes: tuple[str, ...]) -> OnnxNetwork:
    """The model as a network.

    Args:
        pixels_BCHW: some real images, in [0, 1], to find out what it gives.
        classes: of the data set, in order.

    Raises:
        DataError: it is not a model that takes such images and names so many classes; the message says what it is.
    """
    parameters = _inspected(content)
    try:
        session = OnnxSession(content)
    except Exception as error:  # onnxruntime has an error of its own for each thing that can be wrong
        raise DataError(f"onnxruntime cannot load the ONNX model: {_first_line(error)}") from error
    _check_input(session)
    shape = tuple(pixels_BCHW.shape[1:])
    layout, batch = _layout(session, shape)
    outputs = _tried(session, pixels_BCHW, layout, batch)
    output, order = _output(session, outputs, classes)
    params = OnnxParams(
        size=len(content), parameters=parameters, layout=layout, batch=batch, output=output, order=order
    )
    return OnnxNetwork(params, content)


def _inspected(content: bytes) -> int:
    """How many numbers the model holds; raises DataError where it is none, or names other files."""
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own
        raise DataError(f"the file is not an ONNX model: {_first_line(error)}") from error
    numbers = sum(len(attribute.floats) for attribute in _attributes(model.graph))
    for tensor in _tensors(model.graph):
        if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
            raise DataError(
                "the ONNX model keeps weights in other files; save it as one file (onnx.save_model with "
                "save_as_external_data=False)."
            )
        numbers += int(np.prod(tensor.dims, dtype=object))
    return numbers


def _tensors(graph: Any) -> Iterator[Any]:
    """All tensors of a graph and of the graphs inside it."""
    yield from graph.initializer
    yield from (part for sparse in graph.sparse_initializer for part in (sparse.values, sparse.indices))
    for attribute in _attributes(graph):
        yield from (attribute.t, *attribute.tensors)
        for inner in (attribute.g, *attribute.graphs):
            yield from _tensors(inner)


def _attributes(graph: Any) -> Iterator[Any]:
    return (attribute for node in graph.node for attribute in node.attribute)


def _check_input(session: OnnxSession) -> None:
    inputs = session.session.get_inputs()
    if len(inputs) != 1:
        names = ", ".join(one.name for one in inputs)
        raise DataError(f"the ONNX model takes {len(inputs)} inputs ({names}); expected one, the images.")
    if session.input.type not in _INPUTS:
        raise DataError(f"the ONNX model takes {session.input.type}; expected one of {', '.join(_INPUTS)}.")


def _layout(session: OnnxSession, shape: tuple[int, ...]) -> tuple[str, int | None]:
    """How its images lie, and how many it takes at once."""
    dims = list(session.input.shape)
    channels, height, width = shape
    ways = {
        "NCHW": [channels, height, width],
        "NHWC": [height, width, channels],
        "flat": [channels * height * width],
    }
    if channels == 1:
        ways["NHW"] = [height, width]
    for layout, expected in ways.items():
        given = dims[1:]
        if len(given) == len(expected) and all(
            not isinstance(dim, int) or dim == size for dim, size in zip(given, expected, strict=True)
        ):
            return layout, dims[0] if isinstance(dims[0], int) else None
    shown = " x ".join("N" if not isinstance(dim, int) else str(dim) for dim in dims)
    raise DataError(
        f"the ONNX model takes {shown}, and the data set's images are {channels} x {height} x {width} (channels, "
        "height, width); register it for a data set of its size (height=... and width=... for pictures that you sent)."
    )


def _tried(session: OnnxSession, pixels_BCHW: Tensor, layout: str, batch: int | None) -> list[Any]:
    images_BCHW = pixels_BCHW if batch is None else pixels_BCHW[:1].expand(batch, -1, -1, -1)
    try:
        return session.run(laid_out(images_BCHW, layout))
    except Exception as error:  # whatever the model's own graph leads to
        raise DataError(f"the ONNX model fails on the data set's images: {_first_line(error)}") from error


def _output(session: OnnxSession, outputs: list[Any], classes: tuple[str, ...]) -> tuple[Output, tuple[int, ...]]:
    """Which output names the classes, and which of its columns is which class."""
    described = session.session.get_outputs()
    places = sorted(range(len(outputs)), key=lambda place: described[place].name not in _USUAL)
    for place in places:
        found = outputs[place]
        if isinstance(found, list) and found and isinstance(found[0], dict):
            return _maps(place, found, classes)
        if described[place].type in _TENSORS and getattr(found, "ndim", 0) == 2 and found.shape[1] == len(classes):
            kind = "probabilities" if _are_probabilities(found) else "logits"
            return Output.model_validate({"place": place, "kind": kind}), tuple(range(len(classes)))
    shown = "; ".join(f"{one.name}: {one.type} {one.shape}" for one in described)
    raise DataError(
        f"none of the ONNX model's outputs names {len(classes)} classes: it has {shown}. Expected one number for each "
        "class of each image."
    )


def _maps(place: int, found: list[dict[Any, float]], classes: tuple[str, ...]) -> tuple[Output, tuple[int, ...]]:
    """A list of probabilities by class. Where the keys are the classes' names, they say the order."""
    keys = tuple(sorted(found[0]))
    if len(keys) != len(classes):
        raise DataError(f"the ONNX model names {len(keys)} classes ({keys[:5]}, ...), the data set has {len(classes)}.")
    output = Output(place=place, kind="maps", keys=keys)
    named = {str(key): column for column, key in enumerate(keys)}
    if all(isinstance(key, str) for key in keys):
        if set(named) != set(classes):
            raise DataError(
                f"the ONNX model names the classes {', '.join(map(str, keys[:5]))}, ..., those of the data set are "
                f"{', '.join(classes[:5])}, ...."
            )
        return output, tuple(named[name] for name in classes)
    return output, tuple(range(len(classes)))


def _are_probabilities(output_BK: Any) -> bool:
    sums_B = output_BK.astype(np.float64).sum(axis=1)
    return bool((output_BK >= 0).all() and np.allclose(sums_B, 1, atol=1e-3))


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0][:500]
