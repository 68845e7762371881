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

from kd_engine.intake.onnx_output import chosen_output
from kd_engine.intake.onnx_zip import in_one, is_zip, messages, refuse_outside, tensors
from kd_engine.models.onnx_session import OnnxSession, laid_out, table
from kd_engine.schema.errors import DataError

_INPUTS = ("tensor(float)", "tensor(double)", "tensor(float16)", "tensor(uint8)", "tensor(int32)", "tensor(int64)")
_RANGES_OF_A_BATCH = ("DynamicQuantizeLinear", "DynamicQuantizeMatMul", "DynamicQuantizeLSTM")
_ROUNDING = 1e-3  # of the largest number: far above that of float32 and float16, below a step of eight bits
_NO_MEMORY = ("bad_alloc", "Failed to allocate memory", "bad allocation")


def look(
    pixels: bytes,
    *,
    path: str,
    shape: list[int],
    classes: list[str],
    threads: int,
    said: bool = False,
    several: bool = False,
) -> Iterator[bytes]:
    """JSON: what the model is, as the fields of `OnnxParams`, and notes; then, of a model that came in a zip with its
    weights, the bytes of both in one.

    Args:
        pixels: real images `[B, C, H, W]`, float32 in [0, 1], to find out what it gives.
        said: its sender says that the outputs are of these classes in this order.
        several: an image may have several of them.

    Raises:
        DataError: it is not a model that takes such images and names so many classes; the message says what it is.
    """
    images_BCHW = np.frombuffer(pixels, np.float32).reshape(shape)
    packed = is_zip(Path(path))
    model = in_one(Path(path)) if packed else _loaded(Path(path).read_bytes())
    refuse_outside(model)
    parameters = _numbers(model)
    content = model.SerializeToString() if packed else Path(path).read_bytes()
    try:
        session = OnnxSession(content, threads)
    except Exception as error:  # onnxruntime has an error of its own for each thing that can be wrong
        raise _told("onnxruntime cannot load the ONNX model", error) from error
    _check_input(session)
    layout, batch = _layout(session, tuple(shape[1:]))
    outputs = _tried(session, images_BCHW, layout, batch)
    output, order, notes = chosen_output(
        model, session, outputs, batch or len(images_BCHW), tuple(classes), said=said, several=several
    )
    dependent = batch != 1 and _depends_on_company(model, session, images_BCHW, layout, batch, output)
    if dependent:
        notes.append(
            "what the model says of an image depends on those that it is asked with, as after quantize_dynamic: its "
            "logits are not kept, and differ a little from run to run. Quantise with fixed ranges (quantize_static)."
        )
    yield json.dumps({
        "size": len(content), "parameters": parameters, "layout": layout, "batch": batch, "output": output,
        "order": order, "batch_dependent": dependent, "notes": notes,
    }).encode()  # fmt: skip
    if packed:
        yield content


def _loaded(content: bytes) -> onnx.ModelProto:
    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's own
        raise _told("the file is not an ONNX model", error) from error


def _numbers(model: onnx.ModelProto) -> int:
    """How many numbers the model holds."""
    listed = sum(len(part.floats) for part in messages(model) if isinstance(part, onnx.AttributeProto))
    return listed + sum(int(np.prod(tensor.dims, dtype=object)) for tensor in tensors(model))


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
    seen = (
        f"the ONNX model takes {shown}, and the data set's images are {channels} x {height} x {width} (channels, "
        "height, width)"
    )
    if len(dims) == 4 and (taken := _fewest(dims)) not in (None, channels):
        raise DataError(
            f"{seen}: the channels differ, {taken} and {channels}, and the size too. Register it for a data set of its "
            f"channels and its size, or export it for images of {channels} x {height} x {width}."
        )
    raise DataError(
        f"{seen}; register it for a data set of its size (height=... and width=... for pictures that you sent)."
    )


_MOST_CHANNELS = 4  # of a picture: with more, it is not known whether a number is one of channels or of pixels
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


def _fewest(dims: list[Any]) -> int | None:
    """How many channels a model takes of which neither channels nor size fit: the smaller of both places, if few."""
    few = [dim for dim in (dims[1], dims[3]) if isinstance(dim, int) and dim <= _MOST_CHANNELS]
    return min(few, default=None)


def _tried(session: OnnxSession, images_BCHW: NDArray[np.float32], layout: str, batch: int | None) -> list[Any]:
    if batch is not None:
        images_BCHW = np.broadcast_to(images_BCHW[:1], (batch, *images_BCHW.shape[1:]))
    try:
        return session.run(np.ascontiguousarray(laid_out(images_BCHW, layout)))
    except Exception as error:  # whatever the model's own graph leads to
        raise _told("the ONNX model fails on the data set's images", error) from error


def _depends_on_company(
    model: onnx.ModelProto,
    session: OnnxSession,
    images_BCHW: NDArray[np.float32],
    layout: str,
    batch: int | None,
    output: dict[str, Any],
) -> bool:
    """Whether an image's answer changes with the other images; or from one time to the next."""
    if any(isinstance(part, onnx.NodeProto) and part.op_type in _RANGES_OF_A_BATCH for part in messages(model)):
        return True
    count = batch or len(images_BCHW)
    company_BCHW = np.resize(images_BCHW, (count, *images_BCHW.shape[1:]))
    others_BCHW = company_BCHW.copy()
    others_BCHW[count // 2 :: 2], others_BCHW[count // 2 + 1 :: 2] = 1.0, 0.0  # all white, all black
    first, second = (
        table(_tried(session, images, layout, None)[output["place"]], output["keys"])[: count // 2].astype(np.float64)
        for images in (company_BCHW, others_BCHW)
    )
    finite = np.isfinite(first) & np.isfinite(second)
    first, second = first[finite], second[finite]
    return bool(first.size and abs(first - second).max() > _ROUNDING * max(abs(first).max(), 1e-3))


def _told(what: str, error: Exception) -> Exception:
    """What to tell of whatever a library raised; want of memory is told by who set the limit."""
    if isinstance(error, MemoryError) or any(words in str(error) for words in _NO_MEMORY):
        return MemoryError()
    return DataError(f"{what}: {str(error).strip().partition(chr(10))[0][:500]}")
