"""Measures a finished network again, from its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from kd_engine.data.dataset import Dataset
from kd_engine.evaluation.details import network_details
from kd_engine.networks.cost import cost_of
from kd_engine.networks.load import load_given
from kd_engine.networks.network import Network
from kd_engine.networks.outputs import SplitLogits
from kd_engine.platform.files import write_atomically
from kd_engine.schema.evaluation_report import EvaluationReport
from kd_engine.schema.report import report_text
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Scores
from kd_engine.tasks.evaluate import score


@dataclass(frozen=True)
class FileEvaluation:
    """What was measured of a network file."""

    network: Network
    dataset: str
    scores: Scores
    metrics: dict[str, float]
    report: EvaluationReport


def evaluate_file(
    weights: Path,
    dataset: str,
    data: Dataset,
    device: torch.device,
    *,
    teacher_file: Path | None = None,
    after_batch: Callable[[int], None] = lambda images: None,
) -> FileEvaluation:
    """Everything about the network in `weights`, measured on the test split of `data`.

    Args:
        dataset: the data set's name.
        data: on `device`.
        teacher_file: another network, to compare with.
        after_batch: hears how many images are done; what it raises ends the evaluation.

    Raises:
        DataError: not a network file.
        InvalidSpecError: a network that names other classes, or takes images of another shape.
    """
    network = _place(load_given(weights, data, "network"), device)
    teacher = None
    if teacher_file is not None:
        teacher = SplitLogits(_place(load_given(teacher_file, data), device), data.test)
    task = load_task(data.task)
    scores, metrics = score(SplitLogits(network, data.test), task, teacher, after_batch=after_batch)
    cost = cost_of(network, data.test.images_NCHW, weights.stat().st_size)
    details = network_details(network, scores, metrics, cost, trainable=None)
    report = EvaluationReport(
        **dict(details),
        kind="evaluate",
        task=task.name,
        metrics=task.metrics,
        summary=task.summary(scores, network.architecture.model, dataset),
        dataset=dataset,
        data_sha256=data.sha256,
        duplicates=data.duplicates,
        test_images=len(data.test),
        interval=scores.estimate(task.compared[0]).interval,
    )
    return FileEvaluation(network, dataset, scores, metrics, report)


def publish_evaluation(found: FileEvaluation, out_dir: Path) -> tuple[str, ...]:
    """Writes `report.json` and the task's figures, such as `confusion.png`; returns their names."""
    write_atomically(out_dir / "report.json", report_text(found.report))
    architecture = found.network.architecture
    title = f"{architecture.model} on {found.dataset}"
    names = ["report.json"]
    for name, draw in load_task(architecture.task).figures(found.scores, architecture.classes, title):
        write_atomically(out_dir / name, draw())
        names.append(name)
    return tuple(names)


def _place(network: Network, device: torch.device) -> Network:
    network.module.to(device)
    network.freeze()
    return network
