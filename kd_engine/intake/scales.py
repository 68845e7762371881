"""The usual ways in which networks take their pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kd_engine.images.normalisation import Normalisation
from kd_engine.models.pixel_input import Feed

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_CLIP = ((0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711))
_CIFAR = (0.4914, 0.4822, 0.4465)
_CAFFE = (123.68, 116.779, 103.939)  # of pixels in [0, 255]
_ONE = 1 / 255
_ALIKE = 2e-3  # half a level of 256: two names of one way


@dataclass(frozen=True)
class Way:
    """A way to feed a network.

    Attributes:
        layout: of an ONNX model that may be meant to take its pixels in several orders: one of them.
    """

    name: str
    feed: Feed
    layout: str | None = None

    @property
    def shown(self) -> str:
        """All of it in words."""
        order = {"flat": ", pixel by pixel", "flat_chw": ", channel by channel"}.get(self.layout or "", "")
        return self.name + (", channels BGR" if self.feed.bgr else "") + order

    @property
    def turned(self) -> Way:
        """The same with the channels the other way round."""
        return replace(self, feed=turned(self.feed))


def usual_ways(channels: int, own: Normalisation, order: str | None) -> list[Way]:
    """Each once, the more usual before the less.

    Args:
        own: the data set's mean and std.
        order: of the channels, `rgb` or `bgr`, where it is known.
    """
    found: list[Way] = []
    for name, mean, std, bgr in _ways(channels, own):
        if bgr and order == "rgb":
            continue
        feed = Feed(mean=mean, std=std, bgr=bgr)
        if order == "bgr" and not bgr:
            feed = turned(feed)
        if not any(_alike(feed, other.feed) for other in found):
            found.append(Way(name, feed))
    return found


def turned(feed: Feed) -> Feed:
    """The same with the channels the other way round; each keeps its mean and deviation."""
    return Feed(mean=feed.mean[::-1], std=feed.std[::-1], bgr=not feed.bgr)


def _ways(channels: int, own: Normalisation) -> Iterator[tuple[str, tuple[float, ...], tuple[float, ...], bool]]:
    def same(mean: float, std: float) -> tuple[tuple[float, ...], tuple[float, ...], bool]:
        return (mean,) * channels, (std,) * channels, False

    yield "pixels in [0, 1]", *same(0.0, 1.0)
    yield "the data set's mean and std", own.mean, own.std, False
    yield "pixels in [-1, 1]", *same(0.5, 0.5)
    yield "pixels in [0, 255]", *same(0.0, _ONE)
    if channels == 1:
        yield "mean .1307 and std .3081, as of MNIST", *same(0.1307, 0.3081)
    if channels == 3:
        yield "ImageNet's mean and std", *_IMAGENET, False
        yield "CIFAR-10's mean and std", _CIFAR, (0.2470, 0.2435, 0.2616), False
        yield "CIFAR-10's mean and std of single images", _CIFAR, (0.2023, 0.1994, 0.2010), False
        yield "CLIP's mean and std", *_CLIP, False
        caffe = tuple(value / 255 for value in _CAFFE)
        yield "pixels in [0, 255] less caffe's mean", caffe[::-1], (_ONE,) * 3, True
        yield "pixels in [0, 255] less caffe's mean", caffe, (_ONE,) * 3, False
    yield "pixels in [0, 16]", *same(0.0, 1 / 16)
    yield "inverted pixels in [0, 1]", *same(1.0, -1.0)
    yield "inverted pixels in [0, 255]", *same(1.0, -_ONE)
    yield "inverted pixels in [-1, 1]", *same(0.5, -0.5)


def _alike(first: Feed, second: Feed) -> bool:
    pairs = [*zip(first.mean, second.mean, strict=True), *zip(first.std, second.std, strict=True)]
    return first.bgr == second.bgr and all(abs(one - other) < _ALIKE for one, other in pairs)
