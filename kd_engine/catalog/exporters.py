"""The forms in which a student is published besides safetensors. No torch.

An exporter is a row here, a file of `kd_engine/exporters/` and its tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from kd_engine.schema.strict_model import unknown_name


@dataclass(frozen=True)
class ExporterRow:
    """What is known of a form without its code.

    Attributes:
        name: as a spec's `export` writes it.
        summary: what the file is, as the model card says it.
        exporter: `module:class` of a `kd_engine.exporters.base.Exporter`.
        file: what it is called in the folder of a run and among a job's artifacts.
        needs: the forms whose files it is made from; a spec that lists it lists them too. Their rows come first.
        default: it is written where a spec says nothing of `export`.
        exact: its logits are PyTorch's but for rounding, and are compared with them; otherwise its metrics are measured
            on all test images.
        calibrated: images of the validation split are looked at to make it.
        script: the task's `predict.py` runs its file.
    """

    name: str
    summary: str
    exporter: str
    file: str
    media_type: str = "application/octet-stream"
    needs: tuple[str, ...] = ()
    default: bool = False
    exact: bool = True
    calibrated: bool = False
    script: bool = False

    def describe(self) -> dict[str, Any]:
        public = ("name", "summary", "file", "media_type", "needs", "default")
        return {key: value for key, value in vars(self).items() if key in public}


EXPORTERS: dict[str, ExporterRow] = {
    row.name: row
    for row in (
        ExporterRow(
            name="torch_export",
            summary="`torch.export` program, the same input",
            exporter="kd_engine.exporters.torch_export:TorchExport",
            file="student.pt2",
            default=True,
        ),
        ExporterRow(
            name="onnx",
            summary="ONNX: float32 images [batch, channels, height, width] with pixels in [0, 1]; normalisation inside",
            exporter="kd_engine.exporters.onnx:Onnx",
            file="student.onnx",
            default=True,
            script=True,
        ),
        ExporterRow(
            name="onnx_int8",
            summary="the same with 8-bit weights and activations",
            exporter="kd_engine.exporters.onnx_int8:OnnxInt8",
            file="student-int8.onnx",
            needs=("onnx",),
            default=True,
            exact=False,
            calibrated=True,
            script=True,
        ),
    )
}
SCRIPT = "predict.py"
"""The task's program that runs the forms whose rows say `script`, published beside them."""
MEDIA_TYPES = {row.file: row.media_type for row in EXPORTERS.values()}
DEFAULT_EXPORT = tuple(row.name for row in EXPORTERS.values() if row.default)


def _known(name: str) -> str:
    if name not in EXPORTERS:
        raise unknown_name("form", name, EXPORTERS)
    return name


ExportForm = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": [*EXPORTERS]})]
