"""Mixup and cutmix: pixels and labels are mixed in the same shares, down to the objective."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kd_engine.data.loader import Batch, Mixed
from kd_engine.images.augmentations.mixing import CutMix, Mixing, Mixup
from kd_engine.networks.network import Architecture, Network, build
from kd_engine.training.objective import Objective


def images(batch: int = 16, channels: int = 3, height: int = 12, width: int = 10) -> Tensor:
    shape = (batch, channels, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(7))


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_mixup_is_a_weighted_mean_of_two_images() -> None:
    mixup = Mixup(alpha=1)
    draw = mixup.draw(16, (3, 12, 10), generator())
    partner_B, share_B = mixup.partner(draw).tolist(), mixup.share(draw, (3, 12, 10)).tolist()

    mixed = mixup.apply(images(), draw)

    assert sorted(partner_B) == list(range(16))
    for number, (partner, share) in enumerate(zip(partner_B, share_B, strict=True)):
        expected = images()[number].double() * share + images()[partner].double() * (1 - share)
        assert (mixed[number].double() - expected).abs().max() < 0.501, number


@settings(deadline=None)
@given(height=st.integers(1, 20), width=st.integers(1, 20), alpha=st.floats(0.05, 5), seed=st.integers(0, 1000))
def test_cutmix_pastes_one_box_of_the_share_that_it_says(height: int, width: int, alpha: float, seed: int) -> None:
    cutmix, shape = CutMix(alpha=alpha), (1, height, width)
    own_BCHW = torch.arange(16, dtype=torch.uint8).reshape(16, 1, 1, 1).expand(16, *shape)
    draw = cutmix.draw(16, shape, generator(seed))
    partner_B, share_B = cutmix.partner(draw), cutmix.share(draw, shape)

    mixed = cutmix.apply(own_BCHW, draw)

    kept_BHW = (mixed == own_BCHW)[:, 0]
    pasted_BHW = (mixed == partner_B.to(torch.uint8).reshape(16, 1, 1, 1))[:, 0]
    assert bool((kept_BHW | pasted_BHW).all())
    for number, partner in enumerate(partner_B.tolist()):
        if partner == number:
            continue
        assert float(kept_BHW[number].double().mean()) == pytest.approx(float(share_B[number]), abs=1e-6)
        rows, columns = pasted_BHW[number].any(dim=1).nonzero(), pasted_BHW[number].any(dim=0).nonzero()
        box = (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1) if len(rows) else torch.tensor(0)
        assert int(box) == int(pasted_BHW[number].sum())


@pytest.mark.parametrize("mixing", [Mixup(), CutMix()], ids=str)
def test_nothing_is_mixed_with_probability_0_and_half_with_one_half(mixing: Mixing) -> None:
    never, half = mixing.model_copy(update={"p": 0.0}), mixing.model_copy(update={"p": 0.5, "alpha": 20.0})
    draw = never.draw(16, (3, 12, 10), generator())

    assert torch.equal(never.apply(images(), draw), images())
    assert never.share(draw, (3, 12, 10)).tolist() == [1.0] * 16
    shares = half.share(half.draw(4000, (3, 32, 32), generator()), (3, 32, 32))
    assert float((shares == 1).double().mean()) == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize("alpha", [0.1, 0.2, 1.0, 8.0])
def test_shares_have_the_moments_of_their_distribution(alpha: float) -> None:
    mixup = Mixup(alpha=alpha)
    share_B = mixup.share(mixup.draw(20_000, (3, 8, 8), generator()), (3, 8, 8)).double()

    assert bool(((share_B >= 0) & (share_B <= 1)).all())
    assert float(share_B.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(share_B.var()) == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.04)


class TestObjective:
    @pytest.fixture
    def network(self) -> Network:
        torch.manual_seed(0)
        architecture = Architecture("softmax_regression", {}, (3, 4, 4), tuple("abcde"), (0.5,) * 3, (0.2,) * 3)
        return build(architecture)

    @pytest.mark.parametrize("smoothing", [0.0, 0.1])
    def test_cross_entropy_with_both_labels_by_share(self, network: Network, smoothing: float) -> None:
        images_BCHW, share_B = images(3, 3, 4, 4), [0.25, 1.0, 0.0]
        mixed = Mixed(torch.tensor([4, 0, 2]), torch.tensor(share_B))
        batch = Batch(images_BCHW, torch.tensor([1, 2, 3]), torch.arange(3), None, mixed)

        value = Objective(network, label_smoothing=smoothing).terms(batch, 0.0)["ce"]

        log_BK = network.logits(images_BCHW).detach().double().log_softmax(dim=1)
        expected = 0.0
        for number, (own, partner) in enumerate(((1, 4), (2, 0), (3, 2))):
            target_K = torch.full((5,), smoothing / 5, dtype=torch.float64)
            target_K[own] += (1 - smoothing) * share_B[number]
            target_K[partner] += (1 - smoothing) * (1 - share_B[number])
            expected -= float((target_K * log_BK[number]).sum()) / 3
        assert value.item() == pytest.approx(expected, rel=1e-6)
        assert math.isfinite(value.item())
        assert value.dtype == torch.float32

    def test_shares_of_1_are_the_plain_loss(self, network: Network) -> None:
        images_BCHW, labels_B = images(3, 3, 4, 4), torch.tensor([1, 2, 3])
        mixed = Mixed(torch.tensor([4, 0, 2]), torch.ones(3))
        objective = Objective(network)

        plain = objective.terms(Batch(images_BCHW, labels_B, torch.arange(3)), 0.0)["ce"]
        same = objective.terms(Batch(images_BCHW, labels_B, torch.arange(3), None, mixed), 0.0)["ce"]

        assert same.item() == pytest.approx(plain.item(), rel=1e-6)
