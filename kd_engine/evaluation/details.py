"""All that was measured of one network, as JSON data."""

from __future__ import annotations

from typing import Any

from kd_engine.evaluation.cost import Cost
from kd_engine.evaluation.measures import class_table, confusion_matrix, most_confused
from kd_engine.evaluation.outcomes import Outcomes
from kd_engine.network import Network

MOST_CLASSES_IN_MATRIX = 100  # 10,000 numbers; beyond that a report is no longer read, and `most_confused` remains
_MEASURED = ("test_accuracy", "test_top5", "test_loss", "test_ece", "teacher_agreement", "teacher_kl")


def network_details(
    network: Network, outcomes: Outcomes, metrics: dict[str, float], cost: Cost, trainable: int | None
) -> dict[str, Any]:
    """What the report says of a network.

    Args:
        metrics: of `outcomes.look`; others are left out.
        trainable: how many of its parameters were trained; None where only its file is known.

    Returns:
        `model`, `precision`, `parameters`, `trainable_parameters`, `flops`, `file_bytes`, `latency`; the metrics (None
        where one does not apply: top-5 of five classes or fewer, a comparison without a teacher); `classes` (the
        table), `most_confused` and `confusion` (rows: the right class; None above 100 classes).
    """
    names = network.architecture.classes
    labels_N, predicted_N = outcomes.labels_N, outcomes.predicted_N
    small = len(names) <= MOST_CLASSES_IN_MATRIX
    return {
        "model": network.architecture.model,
        "precision": str(network.dtype).removeprefix("torch."),
        "parameters": network.parameters,
        "trainable_parameters": trainable,
        "flops": cost.flops,
        "file_bytes": cost.file_bytes,
        "latency": cost.latency,
        **{name: metrics.get(name) for name in _MEASURED},
        "classes": class_table(labels_N, predicted_N, names),
        "most_confused": most_confused(labels_N, predicted_N, names),
        "confusion": confusion_matrix(labels_N, predicted_N, len(names)).tolist() if small else None,
    }
