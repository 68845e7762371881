"""One pass over a split against scikit-learn, scipy and plain loops on the same logits."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy.special import rel_entr, softmax
from sklearn.metrics import accuracy_score, log_loss, top_k_accuracy_score

from kd_engine.data.dataset import Split
from kd_engine.networks.outputs import SplitLogits, batch_size
from kd_engine.schema.errors import DivergedError
from kd_engine.tasks.evaluate import score
from kd_engine.tasks.image_classification.scores import ClassScores
from kd_engine.tasks.image_classification.task import ImageClassification
from tests.kd_engine.evaluation.networks import IMAGES, a_network, a_split, all_logits


def measured(logits: SplitLogits, teacher: SplitLogits | None = None, **options: Any) -> tuple[Any, dict[str, float]]:
    return score(logits, ImageClassification(), teacher, **options)


@pytest.mark.parametrize("classes", [6, 10, 37])
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_accuracy_top_five_and_loss_are_those_of_scikit_learn(classes: int, scale: float) -> None:
    network, split = a_network(classes, scale=scale), a_split(classes)
    outcomes, metrics = measured(SplitLogits(network, split))

    logits_NK, labels_N, names = all_logits(network, split).double().numpy(), split.labels_N.numpy(), range(classes)
    assert metrics["test_accuracy"] == accuracy_score(labels_N, logits_NK.argmax(axis=1))
    assert metrics["test_top5"] == pytest.approx(top_k_accuracy_score(labels_N, logits_NK, k=5, labels=list(names)))
    probabilities_NK = softmax(logits_NK, axis=1)
    if scale == 1.0:  # scikit-learn clips probabilities of almost 0
        assert metrics["test_loss"] == pytest.approx(log_loss(labels_N, probabilities_NK, labels=list(names)), rel=1e-6)
    assert outcomes.confidence_N.numpy() == pytest.approx(probabilities_NK.max(axis=1), rel=1e-6)
    assert len(outcomes.labels_N) == IMAGES


def test_calibration_error_is_that_of_a_plain_loop() -> None:
    network, split = a_network(), a_split()
    bins: list[list[tuple[float, bool]]] = [[] for _ in range(15)]
    for logits_K, label in zip(all_logits(network, split).double(), split.labels_N.tolist(), strict=True):
        probabilities = softmax(logits_K.numpy()).tolist()
        confidence = max(probabilities)
        place = next(m for m in range(15) if confidence <= (m + 1) / 15 or m == 14)
        bins[place].append((confidence, probabilities.index(confidence) == label))
    expected = 0.0
    for members in filter(None, bins):
        accuracy = sum(right for _, right in members) / len(members)
        confidence = sum(sure for sure, _ in members) / len(members)
        expected += len(members) / IMAGES * abs(accuracy - confidence)

    assert measured(SplitLogits(network, split))[1]["test_ece"] == pytest.approx(expected, abs=1e-6)


def test_agreement_and_divergence_are_those_of_scipy() -> None:
    student, teacher, split = a_network(scale=8), a_network(seed=3, scale=8), a_split()
    _, metrics = measured(SplitLogits(student, split), SplitLogits(teacher, split, keep=True))

    p_NK, t_NK = (softmax(all_logits(network, split).double().numpy(), axis=1) for network in (student, teacher))
    assert metrics["teacher_kl"] == pytest.approx(rel_entr(t_NK, p_NK).sum(axis=1).mean(), rel=1e-9)
    assert metrics["teacher_agreement"] == (p_NK.argmax(axis=1) == t_NK.argmax(axis=1)).mean()
    assert 0 < metrics["teacher_agreement"] < 1


def test_a_network_agrees_with_itself() -> None:
    network, split = a_network(), a_split()
    _, metrics = measured(SplitLogits(network, split), SplitLogits(network, split))
    assert metrics["teacher_agreement"] == 1
    assert metrics["teacher_kl"] == pytest.approx(0, abs=1e-12)


def test_no_top_five_of_five_classes_and_no_comparison_without_a_teacher() -> None:
    _, metrics = measured(SplitLogits(a_network(5), a_split(5)))
    assert set(metrics) == {"test_accuracy", "test_loss", "test_ece"}


def test_outcomes_survive_a_checkpoint_bit_for_bit() -> None:
    split = a_split()
    outcomes, _ = measured(SplitLogits(a_network(), split))
    again = ClassScores.from_tree(outcomes.to_tree(), split.labels_N)
    assert all(getattr(again, name).equal(tensor) for name, tensor in vars(outcomes).items())
    assert all(getattr(again, name).dtype == tensor.dtype for name, tensor in vars(outcomes).items())


def test_kept_logits_are_computed_once_and_too_many_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    network, split = a_network(), a_split()
    kept, dropped = SplitLogits(network, split, keep=True), SplitLogits(network, split)
    assert kept.batch(1000) is kept.batch(1000)
    monkeypatch.setattr("kd_engine.networks.outputs.MOST_KEPT", IMAGES * 10 - 1)
    too_many = SplitLogits(network, split, keep=True)
    for logits in (dropped, too_many):
        assert logits.batch(1000) is not logits.batch(1000)
        assert logits.batch(1000).equal(kept.batch(1000))


def test_the_pass_tells_how_far_it_is_and_can_be_ended() -> None:
    heard: list[int] = []

    def hear(images: int) -> None:
        heard.append(images)
        if images >= 2000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measured(SplitLogits(a_network(), a_split()), after_batch=hear)
    assert heard == [1000, 2000]


def test_outputs_that_are_not_finite_are_no_result() -> None:
    network = a_network()
    with torch.no_grad():
        next(network.module.parameters()).fill_(float("nan"))
    with pytest.raises(DivergedError, match="not finite"):
        measured(SplitLogits(network, a_split()))


@pytest.mark.parametrize(
    ("shape", "images"),
    [((1, 8, 8), 1000), ((3, 32, 32), 1000), ((3, 224, 224), 55), ((3, 1024, 1024), 2), ((3, 4096, 4096), 1)],
)
def test_a_batch_is_bounded_by_the_bytes_of_its_pixels(shape: tuple[int, ...], images: int) -> None:
    assert batch_size(shape) == images
    split = Split(torch.zeros(images + 1, *shape, dtype=torch.uint8), torch.zeros(images + 1, dtype=torch.int64))
    assert [*SplitLogits(a_network(), split).starts()] == [0, images]
