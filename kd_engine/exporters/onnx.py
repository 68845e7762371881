"""A portable network as an ONNX model. Shapes: B images in a batch, C channels, H and W pixels, K classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kd_engine.exporters.base import Run, Student
from kd_engine.exporters.portable import own_noise_left_out
from kd_engine.models.onnx_session import OnnxSession
from kd_engine.platform.files import write_atomically

OPSET = 18  # the oldest that torch's exporter writes without converting: the more programs can read it
INPUT, OUTPUT = "images", "logits"
CLASSES_KEY = "classes"
_DESCRIPTION = (
    "Input: float32 RGB (or grey) images [batch, channels, height, width], pixels in [0, 1]; the normalisation is "
    "inside. Output: logits [batch, classes]; the classes are a JSON list in the metadata."
)


class Onnx:
    """A dynamic batch, and the classes in the metadata."""

    def write(self, student: Student, path: Path) -> None:
        program = student.program
        with own_noise_left_out(), torch.no_grad():
            exported = torch.onnx.export(
                program, dynamo=True, input_names=[INPUT], output_names=[OUTPUT], opset_version=OPSET, verbose=False
            )
        assert exported is not None, "without a path the exporter returns the model"
        model: Any = exported.model
        # what the exporter notes of itself names the files of this machine
        for node in model.graph.all_nodes():
            node.metadata_props.clear()
            node.doc_string = None
        model.graph.name = student.architecture.model
        model.doc_string = _DESCRIPTION
        model.metadata_props.clear()
        model.metadata_props[CLASSES_KEY] = json.dumps(student.architecture.classes)
        write_atomically(path, exported.model_proto.SerializeToString())

    def load(self, path: Path) -> Run:
        session = OnnxSession(path)

        def run(pixels_BCHW: Tensor) -> Tensor:
            (logits_BK,) = session.run(pixels_BCHW.numpy())
            return torch.from_numpy(logits_BK)

        return run
