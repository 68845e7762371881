"""Runs ONNX models. Shapes: B images in a batch, C channels, H and W pixels, K classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

if TYPE_CHECKING:
    from kd_engine.models.foreign import Output

_TYPES = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class OnnxSession:
    """An ONNX model with one input, on the CPU.

    Its threads sleep while there is nothing to do (docs/decisions/011).

    Args:
        model: a file, or its bytes.
        threads: as many as torch has in this process, if None.
    """

    def __init__(self, model: Path | bytes, threads: int | None = None) -> None:
        if threads is None:
            import torch  # only now: a process that looks at a model needs none

            threads = torch.get_num_threads()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        # never ORT's own format, which `onnx` cannot look into
        options.add_session_config_entry("session.load_model_format", "ONNX")
        options.log_severity_level = 4  # what is wrong becomes an exception
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.input = self.session.get_inputs()[0]

    def run(self, images: NDArray[Any]) -> list[Any]:
        """All outputs, of images in the type that the model takes; whole numbers are rounded to."""
        if np.issubdtype(self._type, np.integer):
            images = np.rint(images).clip(0, 255) if self._type is np.uint8 else np.rint(images)
        outputs: list[Any] = self.session.run(None, {self.input.name: images.astype(self._type, copy=False)})
        return outputs

    def read(self, images: NDArray[Any], output: Output) -> NDArray[Any]:
        """`[B, K]`: what this output says of each class."""
        return table(self.run(images)[output.place], output.keys)

    @property
    def is_double(self) -> bool:
        """Whether it takes numbers of 64 bits."""
        return bool(self._type is np.float64)

    @property
    def _type(self) -> Any:
        return _TYPES.get(self.input.type, np.float32)


def table(found: Any, keys: Sequence[int | str] = ()) -> NDArray[Any]:
    """An output as `[B, K]`: a list of maps by class, or numbers, whatever axes of one element follow."""
    if keys:
        return np.array([[row[key] for key in keys] for row in found], np.float32)
    array: NDArray[Any] = found
    return array.reshape(len(array), -1)


def laid_out(images_BCHW: NDArray[Any], layout: str) -> NDArray[Any]:
    """The images as a model of this layout takes them, see `OnnxParams`."""
    images_BCHW = np.ascontiguousarray(images_BCHW)
    if layout == "NCHW":
        return images_BCHW
    if layout == "NHW":
        return images_BCHW[:, 0]
    if layout == "flat_chw":
        return images_BCHW.reshape(len(images_BCHW), -1)
    images_BHWC = np.ascontiguousarray(images_BCHW.transpose(0, 2, 3, 1))
    return images_BHWC if layout == "NHWC" else images_BHWC.reshape(len(images_BHWC), -1)
