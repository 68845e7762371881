"""Rotation, zoom and RandAugment against references that look at one image, or one pixel, at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from kd_engine.images.augmentations import Augmentation
from kd_engine.images.augmentations.colour import recolour
from kd_engine.images.augmentations.geometric import Fill, Rotation, Zoom, rotated, scaled, warp
from kd_engine.images.augmentations.randaugment import ACTS, OPERATIONS, RandAugment


def images(batch: int = 8, channels: int = 3, height: int = 12, width: int = 10) -> Tensor:
    shape = (batch, channels, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(7))


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def reflected(place: float, side: int) -> float:
    """A place in pixels, mirrored at the image's edges (half a pixel outside the middles of the last ones)."""
    place = (place + 0.5) % (2 * side)
    return min(max(min(place, 2 * side - place) - 0.5, 0), side - 1)


def sampled(image_HW: NDArray[np.uint8], matrix_22: NDArray[np.float64], fill: Fill) -> NDArray[np.float64]:
    """One channel, one pixel at a time, in float64: the colour at matrix @ (x, y), counted from the middle."""
    height, width = image_HW.shape
    out = np.zeros((height, width))
    for row in range(height):
        for column in range(width):
            x, y = matrix_22 @ (column - (width - 1) / 2, row - (height - 1) / 2)
            x, y = x + (width - 1) / 2, y + (height - 1) / 2
            if fill == "reflect":
                x, y = reflected(x, width), reflected(y, height)
            left, top = math.floor(x), math.floor(y)
            for r, row_share in ((top, 1 - (y - top)), (top + 1, y - top)):
                for c, column_share in ((left, 1 - (x - left)), (left + 1, x - left)):
                    if 0 <= r < height and 0 <= c < width:
                        out[row, column] += row_share * column_share * image_HW[r, c]
    return out


@pytest.mark.parametrize("fill", ["reflect", "constant"])
@pytest.mark.parametrize("augmentation", [Rotation(factor=0.1), Rotation(factor=0.5), Zoom(factor=0.4)], ids=str)
def test_equals_sampling_each_pixel(augmentation: Rotation | Zoom, fill: Fill) -> None:
    augmentation = augmentation.model_copy(update={"fill": fill})
    draw = augmentation.draw(8, (3, 12, 10), generator())

    shown = augmentation.apply(images(), draw).numpy()

    for number, (drawn,) in enumerate(draw.double().tolist()):
        turn = 2 * math.pi * drawn
        matrix = (
            np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
            if isinstance(augmentation, Rotation)
            else np.eye(2) * drawn
        )
        expected = sampled(images()[number, 1].numpy(), matrix, fill)
        # half a step of rounding, and float32's error in the place times the steepest slope
        assert np.abs(shown[number, 1] - expected).max() < 0.51, number


@pytest.mark.parametrize("fill", ["reflect", "constant"])
@pytest.mark.parametrize("quarters", [-2, -1, 0, 1, 2])
@pytest.mark.parametrize("channels", [1, 3])
def test_quarter_turns_are_exact(fill: Fill, quarters: int, channels: int) -> None:
    square_BCHW = images(4, channels, 33, 33)

    turned = Rotation(factor=0.5, fill=fill).apply(square_BCHW, torch.full((4, 1), quarters / 4))

    assert torch.equal(turned, torch.rot90(square_BCHW, quarters, dims=(2, 3)))


@pytest.mark.parametrize("fill", ["reflect", "constant"])
@pytest.mark.parametrize(("height", "width"), [(32, 32), (180, 180), (1, 1), (7, 300)])
def test_neutral_draws_leave_every_bit(fill: Fill, height: int, width: int) -> None:
    images_BCHW = images(2, 3, height, width)

    assert torch.equal(Rotation(fill=fill).apply(images_BCHW, torch.zeros(2, 1)), images_BCHW)
    assert torch.equal(Zoom(fill=fill).apply(images_BCHW, torch.ones(2, 1)), images_BCHW)


def test_half_the_sides_seen_is_the_middle_enlarged() -> None:
    images_BCHW = images(3, 3, 16, 16)

    enlarged = warp(images_BCHW, scaled(torch.full((3,), 0.5)), "reflect")

    expected = torch.nn.functional.interpolate(images_BCHW.double(), scale_factor=2, mode="bilinear")[..., 8:24, 8:24]
    assert (enlarged.double() - expected).abs().max() <= 0.51


def test_what_is_outside_is_black_or_mirrored() -> None:
    white_BCHW = torch.full((1, 3, 20, 20), 255, dtype=torch.uint8)

    assert int(Zoom(factor=0.9, fill="constant").apply(white_BCHW, torch.tensor([[1.9]]))[0, 0, 0, 0]) == 0
    assert int(Zoom(factor=0.9).apply(white_BCHW, torch.tensor([[1.9]])).min()) == 255


@pytest.mark.parametrize(
    ("augmentation", "least", "most"), [(Rotation(factor=0.1), -0.1, 0.1), (Zoom(factor=0.1), 0.9, 1.1)], ids=str
)
def test_draws_fill_their_range(augmentation: Augmentation, least: float, most: float) -> None:
    draw = augmentation.draw(10_000, (3, 8, 8), generator())

    assert least <= float(draw.min()) < least + 0.001
    assert most - 0.001 < float(draw.max()) <= most
    assert float(draw.mean()) == pytest.approx((least + most) / 2, abs=0.003)


class TestRandAugment:
    def act(self, name: str, second: bool = False, magnitude: int = 30) -> Tensor:
        """All images shown with one act."""
        number = 2 * OPERATIONS.index(name) + second
        return RandAugment(operations=1, magnitude=magnitude).apply(images(), torch.full((8,), number))

    def test_geometric_acts(self) -> None:
        turn = torch.full((8,), 30 / 360, dtype=torch.float64)

        assert torch.equal(self.act("rotate"), warp(images(), rotated(turn), "constant"))
        assert torch.equal(self.act("rotate", True), warp(images(), rotated(-turn), "constant"))
        assert torch.equal(self.act("zoom"), warp(images(), scaled(torch.full((8,), 1.3)), "constant"))

    def test_a_shift_moves_pixels(self) -> None:
        # 0.45 of 10 columns at magnitude 20 of 30 are 3; of 12 rows at magnitude 10, 1.8
        moved, back = self.act("translate_x", magnitude=20), self.act("translate_x", True, 20)

        assert torch.equal(moved[..., :-3], images()[..., 3:])
        assert int(moved[..., -3:].max()) == 0
        assert torch.equal(back[..., 3:], images()[..., :-3])
        blend_BCHW = images()[..., 1:-1, :] * 0.2 + images()[..., 2:, :] * 0.8
        assert (self.act("translate_y", magnitude=10)[..., :-2, :].double() - blend_BCHW).abs().max() < 0.51

    def test_colour_acts(self) -> None:
        for place, name in enumerate(("brightness", "contrast", "saturation")):
            factors_B3 = torch.ones(8, 3)
            factors_B3[:, place] = 0.1
            assert torch.equal(self.act(name, True), recolour(images(), factors_B3))

    def test_acts_on_bits(self) -> None:
        assert torch.equal(self.act("posterize"), images() & 0b11110000)
        assert torch.equal(self.act("solarize"), torch.where(images() > 0, 255 - images(), images()))
        half = self.act("solarize", magnitude=15)
        assert torch.equal(half, torch.where(images() > 127, 255 - images(), images()))

    @pytest.mark.parametrize("number", range(ACTS))
    def test_magnitude_0_and_identity_leave_every_bit(self, number: int) -> None:
        assert torch.equal(RandAugment(operations=1, magnitude=0).apply(images(), torch.full((8,), number)), images())
        assert torch.equal(self.act("identity"), images())

    def test_each_image_has_acts_of_its_own_one_after_the_other(self) -> None:
        both, one = RandAugment(operations=2, magnitude=14), RandAugment(operations=1, magnitude=14)
        draw = both.draw(8, (3, 12, 10), generator())

        shown = both.apply(images(), draw)

        for number, view in enumerate(draw.tolist()):
            image_1CHW = images()[number : number + 1]
            for act in (view % ACTS, view // ACTS):
                image_1CHW = one.apply(image_1CHW, torch.tensor([act]))
            assert torch.equal(shown[number : number + 1], image_1CHW), number

    def test_refuses_what_has_no_colour(self) -> None:
        assert "needs grey or colour images (1 or 3 channels); these have 4" in (RandAugment().misfit((4, 8, 8)) or "")
        assert RandAugment().misfit((1, 8, 8)) is None
