"""A look at an ONNX model from outside, in a process of its own (`confined`), as its graph may take any memory, and not
end. No torch.

Shapes: B images in a batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from kd_engine.errors import DataError
from kd_engine.onnx_session import OnnxSession, laid_out

_TENSORS = ("tensor(float)", "tensor(double)", "tensor(float16)")
_INPUTS = (*_TENSORS, "tensor(uint8)", "tensor(int32)", "tensor(int64)")
_NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "bad allocation")
_USUAL = ("logits", "output", "probabilities", "output_probability")


def look(pixels: bytes, *, path: str, shape: list[int], classes: list[str], threads: int) -> Iterator[bytes]:
    """JSON: what the model is, as the fields of `OnnxParams`.

    Args:
        pixels: real images `[B, C, H, W]`, float32 in [0, 1], to find out what it gives.

    Raises:
        DataError: it is not a model that takes such images and names so many classes; the message says what it is.
    """
    images_BCHW = np.frombuffer(pixels, np.float32).reshape(shape)
    content = Path(path).read_bytes()
    parameters = _inspected(content)
    try:
        session = OnnxSession(content, threads)
    except Exception as error:  # onnxruntime has an error of its own for each thing that can be wrong
        raise _told("onnxruntime cannot load the ONNX model", error) from error
    _check_input(session)
    layout, batch = _layout(session, tuple(shape[1:]))
    outputs = _tried(session, images_BCHW, layout, batch)
    output, order = _output(session, outputs, tuple(classes))
    yield json.dumps({
        "size": len(content), "parameters": parameters, "layout": layout, "batch": batch, "output": output,
        "order": order,
    }).encode()  # fmt: skip


def _inspected(content: bytes) -> int:
    """How many numbers the model holds; raises DataError where it is none, or names other files."""
    try:
        model = onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own
        raise _told("the file is not an ONNX model", error) from error
    numbers = 0
    for message in _messages(model):
        if isinstance(message, onnx.AttributeProto):
            numbers += len(message.floats)
        elif isinstance(message, onnx.TensorProto):
            if message.data_location == onnx.TensorProto.EXTERNAL or message.external_data:
                raise DataError(
                    "the ONNX model keeps weights in other files; save it as one file (onnx.save_model with "
                    "save_as_external_data=False)."
                )
            numbers += int(np.prod(message.dims, dtype=object))
    return numbers


def _messages(model: Any) -> Iterator[Any]:
    """All parts of a model, wherever they stand: in graphs, in graphs inside them, in functions, in what is to come."""
    waiting = [model]
    while waiting:
        message = waiting.pop()
        yield message
        for field, value in message.ListFields():
            if field.message_type is not None:
                waiting.extend([value] if hasattr(value, "ListFields") else value)


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
    if len(dims) == 4 and (taken := _channels(dims, height, width)) not in (None, channels):
        raise DataError(_OTHER_CHANNELS[channels == 1].format(taken=taken, channels=channels))
    shown = " x ".join("N" if not isinstance(dim, int) else str(dim) for dim in dims)
    raise DataError(
        f"the ONNX model takes {shown}, and the data set's images are {channels} x {height} x {width} (channels, "
        "height, width); register it for a data set of its size (height=... and width=... for pictures that you sent)."
    )


_OTHER_CHANNELS = {
    False: "the ONNX model takes images of {taken} channel, and the data set's have {channels}: no other size helps. "
    "Register it for a data set of grey images (grey arrays sent as .npz), or export it with {channels} channels.",
    True: "the ONNX model takes images of {taken} channels, and the data set's are grey: no other size helps. Register "
    "it for a data set of colour images, or export it with one channel.",
}


def _channels(dims: list[Any], height: int, width: int) -> int | None:
    """How many channels a model takes whose size fits; None where it is not that which differs, or not known."""
    for channels, sides in ((dims[1], dims[2:4]), (dims[3], dims[1:3])):
        if isinstance(channels, int) and all(
            not isinstance(dim, int) or dim == size for dim, size in zip(sides, (height, width), strict=True)
        ):
            return channels
    return None


def _tried(session: OnnxSession, images_BCHW: NDArray[np.float32], layout: str, batch: int | None) -> list[Any]:
    if batch is not None:
        images_BCHW = np.broadcast_to(images_BCHW[:1], (batch, *images_BCHW.shape[1:]))
    try:
        return session.run(np.ascontiguousarray(laid_out(images_BCHW, layout)))
    except Exception as error:  # whatever the model's own graph leads to
        raise _told("the ONNX model fails on the data set's images", error) from error


def _output(
    session: OnnxSession, outputs: list[Any], classes: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """Which output names the classes, and which of its columns is which class."""
    described = session.session.get_outputs()
    places = sorted(range(len(outputs)), key=lambda place: described[place].name not in _USUAL)
    for place in places:
        found = outputs[place]
        if isinstance(found, list) and found and isinstance(found[0], dict):
            return _maps(place, found, classes)
        if described[place].type in _TENSORS and getattr(found, "ndim", 0) == 2 and found.shape[1] == len(classes):
            kind = "probabilities" if _are_probabilities(found) else "logits"
            return {"place": place, "kind": kind}, tuple(range(len(classes)))
    shown = "; ".join(f"{one.name}: {one.type} {one.shape}" for one in described)
    raise DataError(
        f"none of the ONNX model's outputs names {len(classes)} classes: it has {shown}. Expected one number for each "
        "class of each image."
    )


def _maps(
    place: int, found: list[dict[Any, float]], classes: tuple[str, ...]
) -> tuple[dict[str, Any], tuple[int, ...]]:
    """A list of probabilities by class. Where the keys are the classes' names, they say the order."""
    keys = tuple(sorted(found[0]))
    if len(keys) != len(classes):
        raise DataError(f"the ONNX model names {len(keys)} classes ({keys[:5]}, ...), the data set has {len(classes)}.")
    output = {"place": place, "kind": "maps", "keys": keys}
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


def _told(what: str, error: Exception) -> Exception:
    """What to tell of whatever a library raised; want of memory is told by who set the limit."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return MemoryError()
    return DataError(f"{what}: {str(error).strip().partition(chr(10))[0][:500]}")
