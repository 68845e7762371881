"""Several augmentations as one: their views are numbered together, and a number is enough to see the view again."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kd_engine.images.augmentations import Augmentation, Crop, Flip, augment, count_views, misfit, show
from kd_engine.images.augmentations.colour import ColorJitter
from kd_engine.images.augmentations.cutout import Cutout
from kd_engine.images.augmentations.geometric import Rotation, Zoom
from kd_engine.images.augmentations.mixing import CutMix, Mixup
from kd_engine.images.augmentations.randaugment import RandAugment
from kd_engine.images.augmentations.sequence import MOST_VIEWS

SHAPE = (3, 8, 6)
FINITE: list[Augmentation] = [
    Crop(padding=1), Crop(padding=2, mode="reflect"), Flip(), Flip(direction="vertical"), Cutout(size=3),
    RandAugment(operations=1),
]  # fmt: skip
ENDLESS: list[Augmentation] = [Rotation(), Zoom(), ColorJitter()]


def images(batch: int = 12) -> Tensor:
    return torch.randint(0, 256, (batch, *SHAPE), dtype=torch.uint8, generator=torch.Generator().manual_seed(7))


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(FINITE), max_size=3), st.integers(0, 1000))
def test_a_number_is_enough_to_see_a_view_again(augmentations: list[Augmentation], seed: int) -> None:
    shown = augment(images(), augmentations, generator(seed))
    count = count_views(augmentations, SHAPE)

    assert (shown.view_B is None) == (count is None)
    if shown.view_B is not None and count is not None:
        assert 0 <= int(shown.view_B.min()) <= int(shown.view_B.max()) < count
        assert torch.equal(show(images(), augmentations, shown.view_B), shown.images_BCHW)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(FINITE + ENDLESS), max_size=4), st.integers(0, 1000))
def test_one_after_the_other(augmentations: list[Augmentation], seed: int) -> None:
    """Draws come in order from one stream; only neighbours that both move pixels are sampled together."""
    shown = augment(images(), augmentations, generator(seed)).images_BCHW

    draws, expected, before = generator(seed), images(), None
    for augmentation in augmentations:
        if isinstance(augmentation, Rotation | Zoom) and isinstance(before, Rotation | Zoom):
            return  # has a test of its own
        expected, before = augmentation(expected, draws), augmentation
    assert torch.equal(shown, expected)


def test_views_of_crop_and_flip_are_all_different_and_all_reached() -> None:
    augmentations = (Crop(padding=1), Flip())
    image_1CHW = images(1)

    drawn = augment(image_1CHW.expand(2000, -1, -1, -1), augmentations, generator())
    every = show(image_1CHW.expand(18, -1, -1, -1), augmentations, torch.arange(18))

    assert count_views(augmentations, SHAPE) == 18
    assert drawn.view_B is not None
    assert set(drawn.view_B.tolist()) == set(range(18))
    assert len({view.contiguous().numpy().tobytes() for view in every}) == 18


@pytest.mark.parametrize(
    ("augmentations", "count"),
    [
        ((), 1),
        ((Crop(padding=4), Flip()), 162),
        ((Crop(padding=4), Flip(), Rotation()), None),
        ((Crop(), Mixup()), None),
        ((Crop(padding=31),), 3969),
        ((Crop(padding=32),), None),
        ((Crop(),) * 16, None),
        ((RandAugment(operations=8),), None),
    ],
    ids=str,
)
def test_counting(augmentations: Sequence[Augmentation], count: int | None) -> None:
    assert count_views(augmentations, (3, 32, 32)) == count
    assert count is None or count <= MOST_VIEWS


def test_without_augmentation_there_is_view_0() -> None:
    shown = augment(images(), (), generator())

    assert torch.equal(shown.images_BCHW, images())
    assert shown.view_B is not None
    assert shown.view_B.tolist() == [0] * 12


def test_endless_views_have_no_numbers() -> None:
    with pytest.raises(ValueError, match="too many views"):
        show(images(), (Rotation(),), torch.zeros(12, dtype=torch.int64))


def test_rotation_and_zoom_are_sampled_once() -> None:
    """A quarter turn, then half of the sides: as the middle enlarged, then turned."""
    square_BCHW = torch.randint(0, 256, (1, 1, 8, 8), dtype=torch.uint8, generator=generator())

    class Quarter(Rotation):
        def draw(self, n: int, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
            return torch.full((n, 1), 0.25)

    class Half(Zoom):
        def draw(self, n: int, shape: tuple[int, int, int], generator: torch.Generator) -> Tensor:
            return torch.full((n, 1), 0.5)

    both = augment(square_BCHW, (Quarter(), Half()), generator()).images_BCHW
    enlarged = Half()(square_BCHW, generator())

    assert torch.equal(both, torch.rot90(enlarged, 1, dims=(2, 3)))


def test_partners_and_shares_come_from_the_one_that_mixes() -> None:
    cutmix, draws = CutMix(), generator()
    flipped = Flip()(images(), draws)
    draw = cutmix.draw(12, SHAPE, draws)

    shown = augment(images(), (Flip(), cutmix), generator())

    assert torch.equal(shown.images_BCHW, cutmix.apply(flipped, draw))
    assert shown.partner_B is not None
    assert shown.share_B is not None
    assert torch.equal(shown.partner_B, cutmix.partner(draw))
    assert torch.equal(shown.share_B, cutmix.share(draw, SHAPE))
    assert augment(images(), (Flip(),), generator()).partner_B is None


class TestMisfit:
    def test_what_mixes_comes_last_and_once(self) -> None:
        assert misfit((Crop(), Mixup()), SHAPE) is None
        assert misfit((Mixup(), Flip()), None) == (
            0, "'mixup' mixes finished images: put it last, and use one of its kind only.",
        )  # fmt: skip
        found = misfit((Flip(), Mixup(), CutMix()), None)
        assert found is not None
        assert found[0] == 1

    def test_what_depends_on_the_shape_waits_until_it_is_known(self) -> None:
        reflected = (Flip(), Crop(padding=6, mode="reflect"))

        assert misfit(reflected, None) is None
        assert misfit(reflected, SHAPE) == (
            1, "reflected padding of 6 pixels needs images of more than that; these have 6.",
        )  # fmt: skip
