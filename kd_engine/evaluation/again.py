"""Measures a finished network again, from its file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from kd_engine.data.dataset import Dataset
from kd_engine.evaluation.cost import cost_of
from kd_engine.evaluation.details import network_details
from kd_engine.evaluation.logits import SplitLogits
from kd_engine.evaluation.outcomes import Outcomes, look
from kd_engine.evaluation.picture import MOST_CLASSES_DRAWN, draw_confusion
from kd_engine.files import write_atomically
from kd_engine.network import Network
from kd_engine.report_file import report_text
from kd_engine.statistics import of_accuracy
from kd_engine.teacher import load_given


@dataclass(frozen=True)
class FileEvaluation:
    """What was measured of a network file; `report` is JSON data."""

    network: Network
    dataset: str
    outcomes: Outcomes
    metrics: dict[str, float]
    report: dict[str, Any]


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
    outcomes, metrics = look(SplitLogits(network, data.test), teacher, after_batch=after_batch)
    correct, images = int(outcomes.correct.sum()), len(data.test)
    accuracy = of_accuracy(correct, images)
    low, high = (100 * bound for bound in accuracy.interval)
    cost = cost_of(network, data.test.images_NCHW, weights.stat().st_size)
    report = {
        "summary": f"{network.architecture.model} names {correct:,} of the {images:,} test images of {dataset} right: "
        f"{100 * accuracy.mean:.2f} % (95 % interval {low:.2f} to {high:.2f}).",
        "dataset": dataset,
        "data_sha256": data.sha256,
        "duplicates": asdict(data.duplicates),
        "test_images": images,
        "test_accuracy_interval": list(accuracy.interval),
        **network_details(network, outcomes, metrics, cost, trainable=None),
    }
    return FileEvaluation(network, dataset, outcomes, metrics, report)


def publish_evaluation(found: FileEvaluation, out_dir: Path) -> tuple[str, ...]:
    """Writes `report.json` and, for at most 20 classes, `confusion.png`; returns their names."""
    write_atomically(out_dir / "report.json", report_text(found.report))
    architecture = found.network.architecture
    if len(architecture.classes) > MOST_CLASSES_DRAWN:
        return ("report.json",)
    title = f"{architecture.model} on {found.dataset}"
    draw_confusion(found.outcomes, architecture.classes, out_dir / "confusion.png", title)
    return "report.json", "confusion.png"


def _place(network: Network, device: torch.device) -> Network:
    network.module.to(device)
    network.freeze()
    return network
