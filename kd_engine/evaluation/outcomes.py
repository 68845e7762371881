"""What a network said of each image of a split. Shapes: B images in a batch, N in the split, K classes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from kd_engine.calibration import calibration_error
from kd_engine.errors import DivergedError
from kd_engine.evaluation.logits import SplitLogits


@dataclass(frozen=True)
class Outcomes:
    """One network's answers, image by image in the split's order, on the CPU.

    Attributes:
        labels_N: the right classes, int64.
        predicted_N: the class of the highest logit, int64.
        nll_N: cross-entropy in nats, float32.
        confidence_N: the probability of the predicted class, float32.
    """

    labels_N: Tensor
    predicted_N: Tensor
    nll_N: Tensor
    confidence_N: Tensor

    @property
    def correct(self) -> Tensor:
        """Whether each image was named right, `[N]`."""
        return self.predicted_N == self.labels_N

    @property
    def calibration_error(self) -> float:
        return calibration_error(self.confidence_N, self.correct)

    def to_tree(self) -> dict[str, Any]:
        """As a checkpoint's tree; the labels are the data set's and stay there."""
        return {"predicted": self.predicted_N.int(), "nll": self.nll_N, "confidence": self.confidence_N}

    @classmethod
    def from_tree(cls, tree: dict[str, Any], labels_N: Tensor) -> Outcomes:
        return cls(labels_N.cpu(), tree["predicted"].long(), tree["nll"], tree["confidence"])


@torch.inference_mode()
def look(
    logits: SplitLogits, teacher: SplitLogits | None = None, *, after_batch: Callable[[int], None] = lambda images: None
) -> tuple[Outcomes, dict[str, float]]:
    """One pass over the test split: every image's outcome, and the numbers made of them.

    Args:
        teacher: of the same split, to compare with.
        after_batch: hears how many images are done; what it raises ends the pass.

    Returns:
        The outcomes, and as metrics `test_accuracy` and, with more than five classes, `test_top5` (shares, 0 to 1),
        `test_loss` (NLL: cross-entropy in nats, mean over images), `test_ece`; with a teacher also `teacher_agreement`
        (share of images given the same class) and `teacher_kl` (KL(teacher || network) at temperature 1 in nats, mean
        over images).

    Raises:
        DivergedError: the network's outputs are not finite.
    """
    parts, sums = [], dict[str, float]()
    for start in logits.starts():
        logits_BK = logits.batch(start)
        labels_B = logits.split.labels_N[start : start + len(logits_BK)]
        parts.append(_outcomes_of(logits_BK, labels_B))
        _add(sums, _sums_of(logits_BK, labels_B, None if teacher is None else teacher.batch(start)))
        after_batch(start + len(logits_BK))
    outcomes = Outcomes(*(torch.cat(tensors).cpu() for tensors in zip(*parts, strict=True)))
    images = len(logits.split)
    metrics = {
        "test_accuracy": int(outcomes.correct.sum()) / images,
        "test_loss": float(outcomes.nll_N.double().mean()),
        "test_ece": outcomes.calibration_error,
    }
    return outcomes, metrics | {name: value / images for name, value in sums.items()}


def _outcomes_of(logits_BK: Tensor, labels_B: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    if not bool(logits_BK.isfinite().all()):
        raise DivergedError("the network's outputs on the test images are not finite: its training diverged.")
    # float64: a confident network's losses are smaller than float32's rounding of its probabilities
    log_p_BK = logits_BK.double().log_softmax(dim=1)
    nll_B = -log_p_BK.gather(1, labels_B[:, None])[:, 0]
    return labels_B, logits_BK.argmax(dim=1), nll_B.float(), log_p_BK.amax(dim=1).exp().float()


def _sums_of(logits_BK: Tensor, labels_B: Tensor, teacher_BK: Tensor | None) -> dict[str, float]:
    sums = {}
    if logits_BK.shape[1] > 5:
        best_B5 = logits_BK.topk(5, dim=1).indices
        sums["test_top5"] = float((best_B5 == labels_B[:, None]).sum())
    if teacher_BK is not None:
        log_t_BK, log_p_BK = teacher_BK.double().log_softmax(dim=1), logits_BK.double().log_softmax(dim=1)
        sums["teacher_agreement"] = float((teacher_BK.argmax(dim=1) == logits_BK.argmax(dim=1)).sum())
        sums["teacher_kl"] = float((log_t_BK.exp() * (log_t_BK - log_p_BK)).sum())
    return sums


def _add(sums: dict[str, float], more: dict[str, float]) -> None:
    for name, value in more.items():
        sums[name] = sums.get(name, 0.0) + value
