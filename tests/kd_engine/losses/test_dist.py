"""DIST against numpy's own correlation. B images, K classes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kd_engine.losses import Outputs
from kd_engine.losses.dist import DIST

B, K = 8, 5
LABELS_B = torch.zeros(B, dtype=torch.long)


def logits(seed: int) -> torch.Tensor:
    return torch.randn(B, K, generator=torch.Generator().manual_seed(seed)) * 3


def reference(student_BK: torch.Tensor, teacher_BK: torch.Tensor, t: float, beta: float, gamma: float) -> float:
    probabilities = []
    for z in (student_BK, teacher_BK):
        powers = np.exp(z.double().numpy() / t)
        probabilities.append(powers / powers.sum(axis=1, keepdims=True))
    student, teacher = probabilities
    inter = 1 - np.mean([np.corrcoef(student[b], teacher[b])[0, 1] for b in range(B)])
    intra = 1 - np.mean([np.corrcoef(student[:, k], teacher[:, k])[0, 1] for k in range(K)])
    return float(t**2 * (beta * inter + gamma * intra))


@pytest.mark.parametrize(("temperature", "beta", "gamma"), [(4, 2, 2), (1, 2, 2), (4, 1, 0), (4, 0, 1), (8, 3, 0.5)])
def test_equals_numpys_correlation(temperature: float, beta: float, gamma: float) -> None:
    student_BK, teacher_BK = logits(1), logits(2)

    loss = DIST(temperature=temperature, beta=beta, gamma=gamma)
    value = loss(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)

    assert value.item() == pytest.approx(reference(student_BK, teacher_BK, temperature, beta, gamma), rel=1e-4)


@pytest.mark.parametrize("classes", [10, 1000])
@pytest.mark.parametrize("temperature", [20.0, 100.0, 1000.0])
def test_is_right_at_high_temperatures(temperature: float, classes: int) -> None:
    random = torch.Generator().manual_seed(7)
    student_BK, teacher_BK = (4 * torch.randn(B, classes, generator=random) for _ in range(2))
    loss = DIST(temperature=temperature)

    value = loss(Outputs(student_BK), Outputs(teacher_BK), LABELS_B)

    def correlation(over: int) -> float:
        """Of the logits: what that of the probabilities comes to as T grows."""
        one, other = (z.double() - z.double().mean(dim=over, keepdim=True) for z in (student_BK, teacher_BK))
        return torch.nn.functional.cosine_similarity(one, other, dim=over).mean().item()

    expected = temperature**2 * 2 * (2 - correlation(1) - correlation(0))
    # the images' sums, which softmax takes out, still show between images
    assert value.item() == pytest.approx(expected, rel=0.2 if classes == 10 else 0.05)
    same = loss(Outputs(student_BK), Outputs(student_BK.clone()), LABELS_B)
    assert 0 <= same.item() < 1e-3 * value.item()


def test_equals_torchs_cosine_of_centred_probabilities() -> None:
    """The authors' code writes it so."""
    student_BK, teacher_BK = (logits(3) / 4).softmax(1), (logits(4) / 4).softmax(1)

    def cosine(one: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        one, other = (p - p.mean(1, keepdim=True) for p in (one, other))
        return torch.nn.functional.cosine_similarity(one, other, dim=1).mean()

    value = DIST()(Outputs(logits(3)), Outputs(logits(4)), LABELS_B)

    expected = 2 * 16 * (1 - cosine(student_BK, teacher_BK)) + 2 * 16 * (1 - cosine(student_BK.T, teacher_BK.T))
    assert value.item() == pytest.approx(expected.item(), rel=1e-4)


def test_a_batch_of_one_image_has_no_relation_between_images() -> None:
    student_BK, teacher_BK = logits(5)[:1], logits(6)[:1]

    value = DIST(beta=0)(Outputs(student_BK), Outputs(teacher_BK), LABELS_B[:1])

    assert value.item() == pytest.approx(2 * 16)


def test_published_defaults() -> None:
    loss = DIST()

    assert (loss.temperature, loss.beta, loss.gamma, loss.weight) == (4, 2, 2, 1)
