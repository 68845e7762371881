"""One epoch: each image once, with its label, in an order that can be repeated."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kd_engine.data.dataset import Split
from kd_engine.data.loader import Batch, batches
from kd_engine.images.augmentations import Augmentation, Crop, Flip
from kd_engine.images.augmentations.geometric import Rotation
from kd_engine.images.augmentations.mixing import CutMix


def split(count: int = 50) -> Split:
    """Image number n holds nothing but n, and its label is n."""
    labels_N = torch.arange(count)
    return Split(labels_N.to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 3, 8, 8).contiguous(), labels_N)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@given(count=st.integers(1, 60), batch_size=st.integers(1, 70), drop_last=st.booleans())
def test_each_image_once_in_full_batches(count: int, batch_size: int, drop_last: bool) -> None:
    found = list(batches(split(count), batch_size, generator(), (), drop_last=drop_last))

    sizes = [len(batch.labels_B) for batch in found]
    rest = [count % batch_size] if count % batch_size and not drop_last else []
    assert sizes == [batch_size] * (count // batch_size) + rest
    seen = [label for batch in found for label in batch.labels_B.tolist()]
    assert len(set(seen)) == len(seen) == sum(sizes)


def test_image_label_and_index_belong_together() -> None:
    for batch in batches(split(), 16, generator(), ()):
        assert batch.images_BCHW.dtype == torch.uint8
        assert batch.images_BCHW.shape[1:] == (3, 8, 8)
        assert torch.equal(batch.images_BCHW[:, 1, 2, 3].long(), batch.labels_B)
        assert torch.equal(batch.index_B, batch.labels_B)


def test_order_is_drawn_anew_from_each_generator() -> None:
    def order(seed: int) -> list[int]:
        return [label for batch in batches(split(), 16, generator(seed), ()) for label in batch.labels_B.tolist()]

    assert order(1) == order(1)
    assert order(1) != order(2)
    assert order(1) != sorted(order(1))


def test_same_state_gives_the_same_epoch_with_augmentation() -> None:
    def epoch(seed: int) -> list[Batch]:
        return list(batches(split(), 16, generator(seed), (Crop(padding=2), Flip())))

    for first, second in zip(epoch(3), epoch(3), strict=True):
        assert torch.equal(first.images_BCHW, second.images_BCHW)
        assert torch.equal(first.index_B, second.index_B)
        assert first.view_B is not None
        assert second.view_B is not None
        assert torch.equal(first.view_B, second.view_B)


def test_augmentations_are_applied_one_after_the_other() -> None:
    augmentations = (Crop(padding=3), Flip(p=0.5), Crop(padding=1, mode="reflect"))
    draws = generator(4)
    order_N = torch.randperm(50, generator=draws)
    expected = split().images_NCHW[order_N[:20]]
    for augmentation in augmentations:
        expected = augmentation(expected, draws)

    first = next(batches(split(), 20, generator(4), augmentations))

    assert torch.equal(first.images_BCHW, expected)


def test_views_are_numbered_where_they_can_be() -> None:
    def views(*augmentations: Augmentation) -> torch.Tensor | None:
        return next(batches(split(), 40, generator(), augmentations)).view_B

    alone, finite = views(), views(Crop(padding=1), Flip())
    assert alone is not None
    assert finite is not None
    assert alone.tolist() == [0] * 40
    assert 0 <= int(finite.min()) < 6 < int(finite.max()) < 18
    assert views(Crop(), Rotation()) is None


def test_the_labels_of_partners_come_with_mixed_images() -> None:
    constant = Split(torch.arange(10, dtype=torch.uint8).repeat_interleave(64).reshape(10, 1, 8, 8), torch.arange(10))

    [batch] = batches(constant, 10, generator(), (CutMix(),))

    assert batch.mixed is not None
    for image_CHW, own, partner, share in zip(
        batch.images_BCHW, batch.labels_B.tolist(), batch.mixed.partner_labels_B.tolist(), batch.mixed.share_B.tolist(),
        strict=True,
    ):  # fmt: skip
        if own == partner:
            continue
        assert (image_CHW == own).double().mean() == pytest.approx(share, abs=1e-6)
        assert (image_CHW == partner).double().mean() == pytest.approx(1 - share, abs=1e-6)


def test_unmixed_batches_say_so() -> None:
    assert next(batches(split(), 16, generator(), (Crop(), Flip()))).mixed is None


def test_the_split_itself_stays_as_it_is() -> None:
    data = split()
    before = data.images_NCHW.clone()

    for batch in batches(data, 16, generator(), ()):
        batch.images_BCHW.zero_()

    assert torch.equal(data.images_NCHW, before)


@pytest.mark.parametrize("drop_last", [False, True])
def test_an_empty_split_has_no_batches(drop_last: bool) -> None:
    assert list(batches(split(0), 4, generator(), (), drop_last=drop_last)) == []
