"""How a network takes its pixels is found out on images of train, by how sure it is of what is right.

Every network here was trained for pixels in [0, 1]; its first layer is then rewritten for another scale, exactly.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier
from torch import nn

from kd_engine.data.dataset import Split
from kd_engine.images.normalisation import Normalisation
from kd_engine.intake import verify_model
from kd_engine.intake.class_order import check_order
from kd_engine.intake.scales import Way, usual_ways
from kd_engine.intake.verify_model import choose, laid_out_ways
from kd_engine.models.foreign import ONNX, OnnxNetwork, OnnxParams, Output
from kd_engine.models.pixel_input import Feed
from kd_engine.networks.network import Architecture, Network
from kd_engine.schema.errors import DataError
from tests.kd_engine.intake.networks import digits, perceptron_onnx

NAMES = tuple(map(str, range(10)))
OWN = Normalisation((0.3,) * 3, (0.35,) * 3)


@cache
def images(channels: int) -> Split:
    """The digits; in colour: upright, upside down and mirrored, one a channel."""
    grey_N1HW = digits().train_images
    colour = torch.cat([grey_N1HW, grey_N1HW.flip(2) // 2, grey_N1HW.flip(3) // 3], dim=1)
    return Split(grey_N1HW if channels == 1 else colour, digits().train_labels)


@cache
def trained(channels: int) -> MLPClassifier:
    split = images(channels)
    rows = split.images_NCHW.reshape(len(split), -1).numpy() / np.float32(255)
    return MLPClassifier((24,), tol=9, n_iter_no_change=40, learning_rate_init=0.01, random_state=0).fit(
        rows, split.labels_N.numpy()
    )


def layers(channels: int, feed: Feed) -> list[NDArray[np.float32]]:
    """Weights and biases of two layers, for rows of pixels channel by channel that were fed so."""
    first, second = trained(channels).coefs_
    bias, last = trained(channels).intercepts_
    mean, std = (np.repeat(np.array(values), 64) for values in (feed.mean, feed.std))
    if feed.bgr:
        first = first.reshape(channels, 64, -1)[::-1].reshape(channels * 64, -1)
    return [part.astype(np.float32) for part in (first * std[:, None], bias + mean @ first, second, last)]


def network(channels: int, feed: Feed, layout: str = "flat_chw") -> Network:
    """For images as rows of pixels, in either order."""
    first, *rest = layers(channels, feed)
    if layout == "flat":
        first = first.reshape(channels, 64, -1).transpose(1, 0, 2).reshape(channels * 64, -1)
    file = torch.frombuffer(bytearray(perceptron_onnx([first, *rest])), dtype=torch.uint8)
    params = OnnxParams(
        size=len(file), parameters=0, layout="flat", batch=None, output=Output(place=0, kind="logits"),
        order=tuple(range(10)),
    )  # fmt: skip
    plain = ((0.0,) * channels, (1.0,) * channels)
    architecture = Architecture(ONNX, params.model_dump(mode="json"), (channels, 8, 8), NAMES, *plain)
    return Network(architecture, OnnxNetwork(params, file))


def chosen(of: Network, channels: int, **changes: Any) -> verify_model.Choice:
    ways = usual_ways(channels, Normalisation(OWN.mean[:channels], OWN.std[:channels]), changes.pop("order", None))
    return choose(of, images(channels), laid_out_ways(of, ways), **changes)


GREY, COLOUR = (
    usual_ways(channels, Normalisation(OWN.mean[:channels], OWN.std[:channels]), None) for channels in (1, 3)
)


@pytest.mark.parametrize("way", GREY, ids=lambda way: way.shown)
def test_of_grey_pixels(way: Way) -> None:
    found = chosen(network(1, way.feed), 1)
    assert found.best.way == way
    assert found.best.accuracy(found.labels_N) > 0.9


@pytest.mark.parametrize("way", COLOUR, ids=lambda way: way.shown)
@pytest.mark.parametrize("layout", ["flat", "flat_chw"])
def test_of_colours_and_of_rows_of_pixels_in_either_order(way: Way, layout: str) -> None:
    found = chosen(network(3, way.feed, layout), 3)
    named = {found.best.way.shown} | ({found.tried[1].way.shown} if found.notes() else set())
    # the pairs of CIFAR-10 and ImageNet differ so little that both may be named
    assert Way(way.name, way.feed, layout).shown in named
    assert found.best.way.layout == layout


def test_channels_the_other_way_round_are_found_out_or_said() -> None:
    feed = Feed(mean=(0.0,) * 3, std=(1.0,) * 3, bgr=True)
    assert chosen(network(3, feed), 3, try_turned=True).best.way.feed == feed
    said = chosen(network(3, feed), 3, order="bgr")
    assert said.best.way.feed == feed
    assert all(one.way.feed.bgr for one in said.tried)
    assert not any(way.feed.bgr for way in usual_ways(3, OWN, "rgb"))


def test_two_that_are_within_noise_are_both_named() -> None:
    few = Split(images(1).images_NCHW[:60], images(1).labels_N[:60])
    ways = [Way("one", Feed(mean=(0.0,), std=(1.0,))), Way("other", Feed(mean=(0.004,), std=(1.0,)))]
    found = choose(network(1, ways[0].feed), few, ways)
    assert found.interval is not None
    [note] = found.notes()
    assert "'one'" in note
    assert "'other'" in note
    assert "95 % interval" in note


def test_a_slow_network_is_judged_by_what_it_has_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_model, "_MOST_SECONDS", 0.0)
    found = chosen(network(1, GREY[0].feed), 1)
    assert found.best.way == GREY[0]
    assert {entry.images for entry in found.documented()} == {250}


def test_pixels_go_in_exactly() -> None:
    values_1C1V = np.arange(256, dtype=np.uint8).reshape(1, 1, 1, 256)

    def fed(mean: float, std: float) -> list[float]:
        return list(Feed(mean=(mean,), std=(std,))(values_1C1V).ravel())

    wanted = np.arange(256, dtype=np.float32)
    for typed in (1 / 255, 0.00392156862745098, 0.003921569, 0.00392):
        assert fed(0, typed) == list(wanted)
    assert fed(1, -1 / 255) == list(255 - wanted)
    assert fed(0, 1) == list(wanted / np.float32(255))
    assert fed(0.5, 0.5) == pytest.approx(list(wanted / 127.5 - 1), abs=1e-6)
    assert fed(123.68 / 255, 1 / 255) == list(wanted - np.float32(123.68))


def test_mean_and_std_are_of_the_order_in_which_the_channels_go_in() -> None:
    pixels_1C11 = np.array([10, 20, 30], np.uint8).reshape(1, 3, 1, 1)
    caffe = Feed(mean=(103 / 255, 116 / 255, 123 / 255), std=(1 / 255,) * 3, bgr=True)
    assert list(caffe(pixels_1C11).ravel()) == [30 - 103, 20 - 116, 10 - 123]


def test_outputs_that_are_not_finite_are_told() -> None:
    class Broken(nn.Module):
        def forward(self, images_BCHW: torch.Tensor) -> torch.Tensor:
            return images_BCHW.mean(dim=(2, 3)).expand(-1, 10).log() * 0

    architecture = Architecture("broken", {}, (1, 8, 8), NAMES, (0.0,), (1.0,))
    dark = Split(torch.zeros(30, 1, 8, 8, dtype=torch.uint8), torch.zeros(30, dtype=torch.int64))
    with pytest.raises(DataError, match=r"not finite .* for 30 of 30 images of train"):
        choose(Network(architecture, Broken()), dark, GREY[:1])


def test_advice_about_the_order_goes_on_from_the_order_that_was_given() -> None:
    """A file whose outputs are c, a, b, sent as a, b, c and then, wrongly, as b, a, c: the same advice."""
    classes, truth = ("a", "b", "c"), ("c", "a", "b")
    labels_N = torch.arange(300) % 3
    column_N = torch.tensor([truth.index(name) for name in classes])[labels_N]  # the output that is highest
    for named in (classes, ("b", "a", "c")):
        predicted_N = torch.tensor([classes.index(name) for name in named])[column_N]
        with pytest.raises(DataError, match="Send it again with classes=c,a,b"):
            check_order(labels_N, predicted_N, classes, named)
    check_order(labels_N, labels_N, classes, truth)
