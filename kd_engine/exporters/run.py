"""Writes a finished student in every form that the spec asks for, each checked before it counts.

An export that fails costs nobody a trained student: the file is left out, and the report says why.

Shapes: N images, B images in a batch, C channels, H and W pixels, K classes.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from kd_engine.catalog.exporters import EXPORTERS, SCRIPT, ExporterRow
from kd_engine.data.dataset import Dataset
from kd_engine.exporters.base import Exporter, Run, Student
from kd_engine.exporters.portable import as_pixels
from kd_engine.networks.network import Network
from kd_engine.networks.outputs import SplitLogits
from kd_engine.platform.files import write_atomically
from kd_engine.platform.heartbeat import one_call
from kd_engine.schema.errors import DiskFullError
from kd_engine.schema.importing import load_object
from kd_engine.schema.report import Exported
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Scores
from kd_engine.tasks.evaluate import score

log = logging.getLogger(__name__)
CHECKED_IMAGES = 256
CALIBRATION_IMAGES = 256  # of validation: neither trained on nor tested on
_MOST_SECONDS = 1800.0  # of one form, of a large network on a slow machine
# Two programs that add the same numbers in another order: float32 rounding grows with depth to about 1e-5 of the
# largest logit. A wrong graph is wrong in the first digit.
_TOLERANCE = 1e-3


class ExportError(Exception):
    """A file that was written does not do what the network does."""


def run_exporters(
    network: Network, scores: Scores, data: Dataset, forms: Sequence[str], out_dir: Path
) -> tuple[dict[str, Exported], list[str]]:
    """Writes `network` into `out_dir` in `forms`, and the script that runs the ONNX ones.

    Args:
        scores: its own, of the test images.

    Returns:
        For each form what the report says of it, and the names of the files.

    Raises:
        DiskFullError: no room.
    """
    student = Student(network, data.validation.images_NCHW[:CALIBRATION_IMAGES])
    report = {row.name: _export(row, student, scores, data, out_dir) for row in EXPORTERS.values() if row.name in forms}
    files = [path.name for path in student.files.values()]
    script = load_task(data.task).script
    if script is not None and any(EXPORTERS[form].script for form in student.files):
        write_atomically(out_dir / SCRIPT, script.read_bytes())
        files.append(SCRIPT)
    return report, files


def _export(row: ExporterRow, student: Student, scores: Scores, data: Dataset, out_dir: Path) -> Exported:
    """Writes the form's file, which then is one of `student.files`; what the report says of it."""
    path = out_dir / row.file
    try:
        with one_call(f"exporting the student as {row.name}", seconds=_MOST_SECONDS):
            for form in row.needs:
                if form not in student.files:
                    raise ExportError(f"it is made from {EXPORTERS[form].file}, which is not there")
            exporter: Exporter = load_object(row.exporter)()
            exporter.write(student, path)
            run = exporter.load(path)
            found = _compared(run, student, data) if row.exact else _measured(run, scores, data)
        if row.calibrated:
            found = found.changed(calibration_images=len(student.calibration_NCHW))
        found = found.changed(file=row.file, bytes=path.stat().st_size)
    except DiskFullError:
        raise
    except Exception as error:  # torch's and onnx's exporters raise whatever they like
        log.warning("the student could not be exported as %s", row.name, exc_info=True)
        path.unlink(missing_ok=True)
        first = str(error).strip().partition("\n")[0]
        return Exported(error=f"{type(error).__name__}: {first}")
    student.files[row.name] = path
    return found


def _compared(run: Run, student: Student, data: Dataset) -> Exported:
    """The largest difference from PyTorch's logits on real images; in batches of another size than was traced."""
    pixels_NCHW = as_pixels(data.test.images_NCHW[:CHECKED_IMAGES])
    with torch.no_grad():
        expected_NK = student.portable(pixels_NCHW)
    largest = float((run(pixels_NCHW) - expected_NK).abs().max())
    if not largest <= _TOLERANCE * max(1.0, float(expected_NK.abs().max())):
        raise ExportError(f"its logits differ from PyTorch's by up to {largest:.3g}")
    return Exported(largest_difference=largest, checked_images=len(pixels_NCHW))


def _measured(run: Run, scores: Scores, data: Dataset) -> Exported:
    """The first metric on all test images, and how far it is from the network's own."""
    task = load_task(data.task)
    own, _ = score(SplitLogits(_Answers(run), data.test), task)
    name = task.compared[0]
    return Exported(
        scores={task.metrics[0].key("test"): own.estimate(name).documented()},
        difference=own.less(scores, name).documented(),
    )


class _Answers:
    """A file at work, answering as the network does."""

    def __init__(self, run: Run) -> None:
        self._run = run

    def logits(self, images_BCHW: Tensor) -> Tensor:
        return self._run(as_pixels(images_BCHW)).to(images_BCHW.device)
