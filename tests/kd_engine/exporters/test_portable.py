"""The portable copy does what the network does, from pixels in [0, 1]."""

from __future__ import annotations

import torch

from kd_engine.exporters.portable import Portable, as_pixels
from kd_engine.networks.network import Architecture, build


def test_it_takes_pixels_in_0_to_1_and_gives_the_network_s_logits() -> None:
    torch.manual_seed(0)
    network = build(Architecture("resnet8", {}, (3, 8, 8), ("a", "b"), (0.4, 0.5, 0.6), (0.1, 0.2, 0.3)))
    network.freeze()
    images_BCHW = torch.randint(0, 256, (5, 3, 8, 8), dtype=torch.uint8)
    portable = Portable(network)
    torch.testing.assert_close(portable(as_pixels(images_BCHW)), network.logits(images_BCHW), rtol=1e-5, atol=1e-5)


def test_the_network_itself_stays_as_it_is() -> None:
    network = build(Architecture("resnet8", {}, (3, 8, 8), ("a", "b"), (0.5,) * 3, (0.5,) * 3))
    portable = Portable(network)
    with torch.no_grad():
        for parameter in portable.parameters():
            parameter.zero_()
    assert any(bool(parameter.any()) for parameter in network.module.parameters())
    assert network.module.training
    assert not portable.training
