"""An ONNX model with 8-bit weights and activations: a quarter of the bytes, and faster where the CPU has the means.

Static quantisation (Jacob et al. 2018, arXiv:1712.05877): weights a scale a channel, activations a scale a tensor,
found by running real images through the model.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from kd_engine.exporters.base import Student
from kd_engine.exporters.onnx import INPUT, Onnx
from kd_engine.exporters.portable import as_pixels
from kd_engine.platform.files import write_atomically

_AT_A_TIME = 32  # images: the ranges of all activations of a batch are kept at once


class OnnxInt8(Onnx):
    """Made from the ONNX model and real images, to find the ranges of activations with."""

    def write(self, student: Student, path: Path) -> None:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".int8-") as folder:
            prepared, written = Path(folder) / "prepared.onnx", Path(folder) / path.name
            # the exporter has inferred all shapes
            quant_pre_process(student.files["onnx"], prepared, skip_symbolic_shape=True)
            quantize_static(
                prepared,
                written,
                _Images(as_pixels(student.calibration_NCHW).numpy()),
                quant_format=QuantFormat.QDQ,
                per_channel=True,
                # both signed: unsigned activations overflow 16 bits on CPUs with AVX2 or AVX-512 and no VNNI
                activation_type=QuantType.QInt8,
                weight_type=QuantType.QInt8,
            )
            write_atomically(path, written.read_bytes())


class _Images(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, pixels_NCHW: NDArray[np.float32]) -> None:
        self._batches = self._split(pixels_NCHW)

    def get_next(self) -> dict[str, Any] | None:
        return next(self._batches, None)

    @staticmethod
    def _split(pixels_NCHW: NDArray[np.float32]) -> Iterator[dict[str, Any]]:
        for start in range(0, len(pixels_NCHW), _AT_A_TIME):
            yield {INPUT: pixels_NCHW[start : start + _AT_A_TIME]}
