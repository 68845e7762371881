"""Finished phases for the tests of the report and the curves, as good and as sure as a test wants them."""

from __future__ import annotations

import numpy as np
import torch

from kd_engine.data.dataset import Split
from kd_engine.networks.outputs import SplitLogits
from kd_engine.results.result import PhaseResult
from kd_engine.schema.phases import NodeName, Phase
from kd_engine.tasks.image_classification.scores import ClassScores
from tests.kd_engine.evaluation.networks import a_network, a_split

SPLIT: Split = a_split(images=400)
IMAGES = len(SPLIT)


def a_result(phase: Phase, right: float, repeat: int = 0, nll: float = 1.0) -> PhaseResult:
    """A finished phase whose network names a share of the images right."""
    random = np.random.default_rng([repeat, round(1000 * right)])
    hit_N = torch.from_numpy(random.permutation(IMAGES)) < round(right * IMAGES)
    predicted_N = torch.where(hit_N, SPLIT.labels_N, (SPLIT.labels_N + 1) % 10)
    nll_N = torch.from_numpy(random.normal(nll, 0.5, IMAGES)).float()
    outcomes = ClassScores(SPLIT.labels_N, predicted_N, nll_N, torch.from_numpy(random.uniform(0.3, 1, IMAGES)).float())
    metrics = {
        "val_accuracy": right,
        "val_loss": nll,
        "test_accuracy": int(hit_N.sum()) / IMAGES,
        "test_loss": float(nll_N.double().mean()),
        "test_ece": outcomes.calibration_error,
    }
    network = a_network()
    return PhaseResult(
        NodeName(phase, repeat), repeat, "trained", network, metrics, outcomes, SplitLogits(network, SPLIT), 640, []
    )
