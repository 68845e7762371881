"""Colour jitter and cutout, image by image. B images, C channels, H and W pixels."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from kd_engine.images.augmentations.colour import ColorJitter, recolour
from kd_engine.images.augmentations.cutout import Cutout


def images(batch: int = 8, channels: int = 3, height: int = 12, width: int = 10) -> Tensor:
    shape = (batch, channels, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(7))


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class TestColorJitter:
    @pytest.mark.parametrize(
        ("place", "enhancer"), [(0, ImageEnhance.Brightness), (1, ImageEnhance.Contrast), (2, ImageEnhance.Color)]
    )
    @pytest.mark.parametrize("factor", [0.0, 0.4, 1.0, 1.7])
    def test_each_factor_does_what_pillow_does(self, place: int, enhancer: type, factor: float) -> None:
        factors_B3 = torch.ones(8, 3)
        factors_B3[:, place] = factor

        changed = recolour(images(), factors_B3).permute(0, 2, 3, 1).numpy()

        for number, image_HWC in enumerate(images().permute(0, 2, 3, 1).numpy()):
            expected = np.asarray(enhancer(Image.fromarray(image_HWC)).enhance(factor))
            # Pillow works with whole numbers of grey
            assert np.abs(changed[number].astype(int) - expected).max() <= 2

    @pytest.mark.parametrize("channels", [1, 3])
    def test_factors_of_1_leave_every_bit(self, channels: int) -> None:
        images_BCHW = images(64, channels, 32, 32)

        assert torch.equal(recolour(images_BCHW, torch.ones(64, 3)), images_BCHW)

    def test_grey_images_have_no_saturation(self) -> None:
        factors_B3 = torch.tensor([[1.0, 1.0, 0.1]]).expand(8, 3)

        assert torch.equal(recolour(images(channels=1), factors_B3), images(channels=1))

    def test_factors_are_spread_around_1(self) -> None:
        draw = ColorJitter(brightness=0.5, contrast=0, saturation=1).draw(20_000, (3, 8, 8), generator())

        assert draw.mean(dim=0).tolist() == pytest.approx([1, 1, 1], abs=0.01)
        assert draw.amin(dim=0).tolist() == pytest.approx([0.5, 1, 0], abs=0.001)
        assert draw.amax(dim=0).tolist() == pytest.approx([1.5, 1, 2], abs=0.001)

    def test_refuses_what_has_no_colour(self) -> None:
        assert "'color_jitter' needs grey or colour images" in (ColorJitter().misfit((2, 8, 8)) or "")
        assert ColorJitter().misfit((3, 8, 8)) is None


class TestCutout:
    @pytest.mark.parametrize("size", [1, 4, 5, 40])
    def test_covers_a_square_around_the_drawn_pixel(self, size: int) -> None:
        cutout = Cutout(size=size, fill=77)
        draw = cutout.draw(8, (3, 12, 10), generator())

        covered = cutout.apply(images(), draw)

        for number, middle in enumerate(draw.tolist()):
            expected = images()[number].clone()
            top, left = middle // 10 - size // 2, middle % 10 - size // 2
            expected[:, max(top, 0) : max(top + size, 0), max(left, 0) : max(left + size, 0)] = 77
            assert torch.equal(covered[number], expected), number

    def test_every_pixel_is_the_middle_of_one_view(self) -> None:
        cutout = Cutout(size=1, fill=0)
        white_BCHW = torch.full((120, 1, 12, 10), 255, dtype=torch.uint8)

        black_BHW = cutout.apply(white_BCHW, torch.arange(120))[:, 0] == 0

        assert cutout.views((1, 12, 10)) == 120
        assert torch.equal(black_BHW.sum(dim=0), torch.ones(12, 10, dtype=torch.int64))
        assert torch.equal(black_BHW.sum(dim=(1, 2)), torch.ones(120, dtype=torch.int64))
