"""Batched augmentation against a slow reference, image by image. B images, C channels, H and W pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from kd_engine.images.augmentations import AUGMENTATIONS, Augmentation, AugmentationSpec, Crop, Flip


def images(batch: int = 32, channels: int = 3, height: int = 12, width: int = 10) -> Tensor:
    shape = (batch, channels, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(7))


def generator(seed: int = 5) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(("mode", "numpy_mode"), [("zero", "constant"), ("reflect", "reflect")])
@pytest.mark.parametrize("padding", [1, 4])
def test_crop_equals_a_window_cut_from_each_padded_image(mode: str, numpy_mode: str, padding: int) -> None:
    images_BCHW = images()
    cropped = Crop(padding=padding, mode=mode)(images_BCHW, generator())

    top_B, left_B = torch.randint(0, 2 * padding + 1, (2, len(images_BCHW)), generator=generator()).tolist()
    for number, image_CHW in enumerate(images_BCHW.numpy()):
        sides = ((0, 0), (padding, padding), (padding, padding))
        padded = np.pad(image_CHW, sides, mode=numpy_mode)  # type: ignore[call-overload]
        window = padded[:, top_B[number] :, left_B[number] :][:, :12, :10]
        assert np.array_equal(cropped[number].numpy(), window), number


def test_crop_shifts_each_image_on_its_own_in_both_directions() -> None:
    same_BCHW = images(1).expand(64, -1, -1, -1)
    cropped = Crop()(same_BCHW, generator())

    views = {image.numpy().tobytes() for image in cropped.contiguous()}
    assert len(views) > 40


@pytest.mark.parametrize(("direction", "axis"), [("horizontal", 2), ("vertical", 1)])
def test_flip_equals_mirroring_the_chosen_images(direction: str, axis: int) -> None:
    images_BCHW = images()
    flipped = Flip(p=0.3, direction=direction)(images_BCHW, generator())

    chosen_B = (torch.rand(len(images_BCHW), generator=generator()) < 0.3).tolist()
    assert True in chosen_B
    assert False in chosen_B
    for number, image_CHW in enumerate(images_BCHW.numpy()):
        expected = np.flip(image_CHW, axis) if chosen_B[number] else image_CHW
        assert np.array_equal(flipped[number].numpy(), expected), number


@pytest.mark.parametrize(("p", "mirrored"), [(0.0, 0), (1.0, 64)])
def test_flip_with_a_certain_outcome(p: float, mirrored: int) -> None:
    images_BCHW = images(64)
    flipped = Flip(p=p)(images_BCHW, generator())

    same = (flipped == images_BCHW).flatten(1).all(dim=1)
    assert int((~same).sum()) == mirrored


SETTINGS: dict[str, list[dict[str, Any]]] = {
    "crop": [{}, {"mode": "reflect"}],
    "flip": [{}, {"direction": "vertical"}],
    "rotation": [{}, {"factor": 0.5, "fill": "constant"}],
    "zoom": [{}, {"factor": 0.9, "fill": "constant"}],
    "randaugment": [{}, {"operations": 1, "magnitude": 30}],
    "cutout": [{"size": 5}],
    "color_jitter": [{}],
    "mixup": [{"alpha": 1.0}],
    "cutmix": [{}],
}
EVERY = [AUGMENTATIONS[name].model_validate(given) for name in AUGMENTATIONS for given in SETTINGS.get(name, [{}])]


@pytest.mark.parametrize("augmentation", EVERY, ids=str)
class TestEveryAugmentation:
    def test_keeps_type_shape_and_its_input(self, augmentation: Augmentation) -> None:
        images_BCHW = images()
        before = images_BCHW.clone()

        out = augmentation(images_BCHW, generator())

        assert out.dtype == torch.uint8
        assert out.shape == images_BCHW.shape
        assert torch.equal(images_BCHW, before)

    def test_same_generator_state_gives_the_same_batch(self, augmentation: Augmentation) -> None:
        assert torch.equal(augmentation(images(), generator()), augmentation(images(), generator()))
        assert not torch.equal(augmentation(images(), generator()), augmentation(images(), generator(6)))

    def test_draws_from_the_generator_alone(self, augmentation: Augmentation) -> None:
        torch.manual_seed(0)
        before = torch.get_rng_state()

        augmentation(images(), generator())

        assert torch.equal(torch.get_rng_state(), before)

    def test_does_not_depend_on_the_memory_layout(self, augmentation: Augmentation) -> None:
        channels_last = images().contiguous(memory_format=torch.channels_last)

        assert torch.equal(augmentation(channels_last, generator()), augmentation(images(), generator()))

    def test_takes_a_batch_of_one_grey_image(self, augmentation: Augmentation) -> None:
        assert augmentation(images(1, 1, 8, 8), generator()).shape == (1, 1, 8, 8)

    def test_draws_once_for_any_images_and_shows_them_so(self, augmentation: Augmentation) -> None:
        draw = augmentation.draw(32, (3, 12, 10), generator())

        assert torch.equal(augmentation.apply(images(), draw), augmentation(images(), generator()))

    def test_numbers_its_views_where_it_can(self, augmentation: Augmentation) -> None:
        views = augmentation.views((3, 12, 10))
        draw = augmentation.draw(1000, (3, 12, 10), generator())

        if views is None:
            assert draw.dtype == torch.float32
            assert draw.shape[0] == 1000
        else:
            assert draw.dtype == torch.int64
            assert draw.shape == (1000,)
            assert 0 <= int(draw.min()) <= int(draw.max()) < views
            assert len(set(draw.tolist())) > min(views, 1000) / 2


def test_crop_and_flip_count_their_views() -> None:
    assert Crop(padding=4).views((3, 32, 32)) == 81
    assert Flip().views((3, 32, 32)) == 2


def test_registry_and_schema() -> None:
    assert set(AUGMENTATIONS) == set(SETTINGS)
    adapter = TypeAdapter(AugmentationSpec)
    assert adapter.validate_python({"name": "crop", "padding": 2}) == Crop(padding=2)
    assert adapter.validate_python("flip") == Flip()
    with pytest.raises(ValidationError, match="less than or equal to 64"):
        adapter.validate_python({"name": "crop", "padding": 65})
