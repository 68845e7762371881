"""From bytes to what a network takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from kd_engine.images.normalisation import Normalisation, measure

IMAGES_BCHW = torch.randint(0, 256, (5, 3, 6, 4), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2470, 0.2435, 0.2616)


def test_equals_numpy_to_the_last_bit() -> None:
    mean_C11, std_C11 = (np.array(values, np.float32).reshape(3, 1, 1) for values in (MEAN, STD))
    expected = (IMAGES_BCHW.numpy().astype(np.float32) / np.float32(255) - mean_C11) / std_C11

    found = Normalisation(MEAN, STD)(IMAGES_BCHW)

    assert np.array_equal(found.numpy(), expected)


def test_is_float32_in_channels_last_whatever_the_layout_of_the_bytes() -> None:
    normalise = Normalisation(MEAN, STD)
    for images_BCHW in (IMAGES_BCHW, IMAGES_BCHW.contiguous(memory_format=torch.channels_last), IMAGES_BCHW.flip(3)):
        found = normalise(images_BCHW)

        assert found.dtype == torch.float32
        assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, normalise(IMAGES_BCHW).flip(3))


def test_leaves_its_input_and_its_constants_alone() -> None:
    before = IMAGES_BCHW.clone()
    normalise = Normalisation(MEAN, STD)

    assert torch.equal(normalise(IMAGES_BCHW), normalise(IMAGES_BCHW))
    assert torch.equal(IMAGES_BCHW, before)


def test_zero_and_one_leave_pixels_between_zero_and_one() -> None:
    found = Normalisation((0.0,), (1.0,))(torch.tensor([[[[0, 51, 255]]]], dtype=torch.uint8))

    assert found.flatten().tolist() == [0.0, torch.tensor(0.2).item(), 1.0]


@pytest.mark.parametrize("channels", [1, 3])
def test_measured_as_by_the_book(channels: int) -> None:
    images_NCHW = torch.randint(0, 200, (600, channels, 5, 7), dtype=torch.uint8)

    mean, std = measure(images_NCHW)

    pixels = images_NCHW.double() / 255
    assert mean == pytest.approx(pixels.mean(dim=(0, 2, 3)).tolist(), abs=1e-6)
    assert std == pytest.approx(pixels.std(dim=(0, 2, 3), correction=0).tolist(), abs=1e-6)
    assert measure(images_NCHW.flip(0)) == (mean, std)


def test_a_channel_of_one_value_is_not_divided_by_zero() -> None:
    assert measure(torch.full((3, 1, 2, 2), 51, dtype=torch.uint8)) == ((0.2,), (1.0,))
