"""Writes a finished student in every form that the spec asks for, each checked before it counts.

An export that fails costs nobody a trained student: the file is left out, and the report says why.

Shapes: N images, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor
from torch.export import ExportedProgram

from kd_engine.data.dataset import Dataset
from kd_engine.exporters.onnx import save_onnx
from kd_engine.exporters.onnx_int8 import save_int8
from kd_engine.exporters.portable import Portable, as_pixels
from kd_engine.exporters.torch_export import run_program, save_program, trace
from kd_engine.jobspec import Export
from kd_engine.models.onnx_session import OnnxSession
from kd_engine.networks.network import Network
from kd_engine.networks.outputs import SplitLogits
from kd_engine.platform.files import write_atomically
from kd_engine.platform.heartbeat import one_call
from kd_engine.schema.errors import DiskFullError
from kd_engine.schema.report import Exported
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Scores
from kd_engine.tasks.evaluate import score

log = logging.getLogger(__name__)
FILES: dict[Export, str] = {
    "torch_export": "student.pt2",
    "onnx": "student.onnx",
    "onnx_int8": "student-int8.onnx",
}
SCRIPT = "predict.py"
CHECKED_IMAGES = 256
CALIBRATION_IMAGES = 256  # of validation: neither trained on nor tested on
_MOST_SECONDS = 1800.0  # of one form, of a large network on a slow machine
# Two programs that add the same numbers in another order: float32 rounding grows with depth to about 1e-5 of the
# largest logit. A wrong graph is wrong in the first digit.
_TOLERANCE = 1e-3


class ExportError(Exception):
    """A file that was written does not do what the network does."""


def ship(
    network: Network, scores: Scores, data: Dataset, forms: tuple[Export, ...], out_dir: Path
) -> tuple[dict[str, Exported], list[str]]:
    """Writes `network` into `out_dir` in `forms`, and the script that runs the ONNX ones.

    Args:
        scores: its own, of the test images.

    Returns:
        For each form what the report says of it, and the names of the files.

    Raises:
        DiskFullError: no room.
    """
    exporter = _Exporter(network, scores, data, out_dir)
    report: dict[str, Exported] = {form: _tried(form, exporter) for form in FILES if form in forms}
    files = [found.file for found in report.values() if found.file is not None]
    script = load_task(data.task).script
    if FILES["onnx"] in files and script is not None:
        write_atomically(out_dir / SCRIPT, script.read_bytes())
        files.append(SCRIPT)
    return report, files


def _tried(form: Export, exporter: _Exporter) -> Exported:
    try:
        return exporter.write(form)
    except DiskFullError:
        raise
    except Exception as error:  # torch's and onnx's exporters raise whatever they like
        log.warning("the student could not be exported as %s", form, exc_info=True)
        (exporter.out_dir / FILES[form]).unlink(missing_ok=True)
        first = str(error).strip().partition("\n")[0]
        return Exported(error=f"{type(error).__name__}: {first}")


class _Exporter:
    """One network; what several forms need is made once."""

    def __init__(self, network: Network, scores: Scores, data: Dataset, out_dir: Path) -> None:
        self.out_dir = out_dir
        self._network, self._architecture = network, network.architecture
        self._data, self._scores = data, scores
        self._onnx: Path | None = None

    def write(self, form: Export) -> Exported:
        """Writes the form's file; what the report says of it."""
        write = {"torch_export": self._torch_export, "onnx": self._write_onnx, "onnx_int8": self._int8}[form]
        path = self.out_dir / FILES[form]
        with one_call(f"exporting the student as {form}", seconds=_MOST_SECONDS):
            measured = write(path)
        return measured.changed(file=path.name, bytes=path.stat().st_size)

    def _torch_export(self, path: Path) -> Exported:
        save_program(self._program, path)
        return self._compared(lambda pixels_BCHW: run_program(path, pixels_BCHW))

    def _write_onnx(self, path: Path) -> Exported:
        save_onnx(self._program, self._architecture, path)
        session = OnnxSession(path)
        measured = self._compared(lambda pixels_BCHW: torch.from_numpy(session.run(pixels_BCHW.numpy())[0]))
        self._onnx = path
        return measured

    def _int8(self, path: Path) -> Exported:
        if self._onnx is None:
            raise ExportError("it is made from the ONNX file, which is not there")
        images_NCHW = self._data.validation.images_NCHW[:CALIBRATION_IMAGES]
        save_int8(self._onnx, as_pixels(images_NCHW).numpy(), path)
        task = load_task(self._data.task)
        scores, _ = score(SplitLogits(_Answers(OnnxSession(path)), self._data.test), task)
        name = task.compared[0]
        return Exported(
            calibration_images=len(images_NCHW),
            scores={task.metrics[0].key("test"): scores.estimate(name).documented()},
            difference=scores.less(self._scores, name).documented(),
        )

    @cached_property
    def _portable(self) -> Portable:
        return Portable(self._network)

    @cached_property
    def _program(self) -> ExportedProgram:
        return trace(self._portable, self._architecture.shape)

    def _compared(self, run: Callable[[Tensor], Tensor]) -> Exported:
        """The largest difference from PyTorch's logits on real images; in batches of another size than was traced."""
        pixels_NCHW = as_pixels(self._data.test.images_NCHW[:CHECKED_IMAGES])
        with torch.no_grad():
            expected_NK = self._portable(pixels_NCHW)
        largest = float((run(pixels_NCHW) - expected_NK).abs().max())
        if not largest <= _TOLERANCE * max(1.0, float(expected_NK.abs().max())):
            raise ExportError(f"its logits differ from PyTorch's by up to {largest:.3g}")
        return Exported(largest_difference=largest, checked_images=len(pixels_NCHW))


class _Answers:
    """The model of a session, answering as the network does."""

    def __init__(self, session: OnnxSession) -> None:
        self._session = session

    def logits(self, images_BCHW: Tensor) -> Tensor:
        (logits_BK,) = self._session.run(as_pixels(images_BCHW).numpy())
        return torch.from_numpy(logits_BK).to(images_BCHW.device)
