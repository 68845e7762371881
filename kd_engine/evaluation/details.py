"""All that was measured of one network, as the report has it."""

from __future__ import annotations

from kd_engine.networks.cost import Cost
from kd_engine.networks.network import Network
from kd_engine.schema.model_details import NetworkDetails
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Scores


def network_details(
    network: Network, scores: Scores, metrics: dict[str, float], cost: Cost, trainable: int | None
) -> NetworkDetails:
    """What the report says of a network.

    Args:
        metrics: of `tasks.evaluate.score`; others are left out.
        trainable: how many of its parameters were trained; None where only its file is known.
    """
    task = load_task(network.architecture.task)
    return NetworkDetails(
        model=network.architecture.model,
        precision=str(network.dtype).removeprefix("torch."),
        parameters=network.parameters,
        trainable_parameters=trainable,
        flops=cost.flops,
        file_bytes=cost.file_bytes,
        latency=cost.latency,
        scores={key: metrics.get(key) for key in (metric.key("test") for metric in task.metrics)},
        **task.details(scores, network.architecture.classes),
    )
