"""Runs ONNX models. Shapes: B images in a batch, K classes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray


class OnnxSession:
    """An ONNX model with one input and logits (or whatever it calls so) as its first output, on the CPU.

    It takes as many threads as torch has in this process; they sleep while there is nothing to do
    (docs/decisions/011).
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3  # errors; what is worse becomes an exception
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def run(self, images_BCHW: NDArray[np.float32]) -> NDArray[np.float32]:
        """The first output."""
        output_BK: NDArray[np.float32] = self._session.run(None, {self._input: images_BCHW})[0]
        return output_BK
