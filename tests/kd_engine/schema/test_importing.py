from __future__ import annotations

from torch import nn

from kd_engine.schema.importing import load_object


def test_load_object() -> None:
    assert load_object("torch.nn:Linear") is nn.Linear
