"""An ONNX model from outside: what it takes, what it gives, and that it is nothing but a model.

Shapes: B images in a batch, C channels, H and W pixels.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import Tensor

from kd_engine.intake.confined_process import Confines, confined
from kd_engine.models.foreign import AT_ONCE, OnnxNetwork, OnnxParams

_MEMORY, _MEMORY_OF_A_BYTE = 2**31, 8  # for what it computes; for its weights, which are there several times
_SECONDS = 300


def onnx_network(
    path: Path,
    pixels_BCHW: Tensor,
    classes: tuple[str, ...],
    *,
    said: bool = False,
    several: bool = False,
    seconds: float = _SECONDS,
) -> tuple[OnnxNetwork, list[str]]:
    """The model as a network, and notes for its sender.

    Args:
        pixels_BCHW: a few real images, in [0, 1], to find out what it gives.
        classes: of the data set, in order.
        said: the outputs are of these classes in this order, whatever names the model has for them.
        several: an image may have several of them.
        seconds: that looking at it may take.

    Raises:
        DataError: it is not a model that takes such images and names so many classes; the message says what it is. Or
            it needs too much memory or time for as many images as it will be given at once.
    """
    rows = torch.arange(AT_ONCE) % len(pixels_BCHW)
    pixels = pixels_BCHW[rows].float().contiguous().numpy()
    request = {
        "path": str(path.absolute()), "shape": pixels.shape, "classes": classes, "said": said, "several": several,
        "threads": torch.get_num_threads(),
    }  # fmt: skip
    confines = Confines(
        _MEMORY + _MEMORY_OF_A_BYTE * path.stat().st_size, seconds, "the ONNX model",
        f"it is given {AT_ONCE} images at once, or as many as it says",
    )  # fmt: skip
    answer, *whole = confined("kd_engine.intake.inspect_onnx:look", request, pixels.tobytes(), confines)
    found = json.loads(answer)
    notes = found.pop("notes")
    content = whole[0] if whole else path.read_bytes()  # whole: of a model that came in a zip with its weights
    return OnnxNetwork(OnnxParams.model_validate(found), torch.frombuffer(bytearray(content), dtype=torch.uint8)), notes
