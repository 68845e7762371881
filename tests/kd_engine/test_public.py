"""What the library offers at its top."""

from __future__ import annotations

import pytest

import kd_engine
from kd_engine.networks.network import load_network
from kd_engine.runs.entry import run


def test_what_a_program_needs_is_at_the_top() -> None:
    assert kd_engine.run is run
    assert kd_engine.load_network is load_network
    assert kd_engine.JobSpec.__name__ in kd_engine.__all__


def test_what_is_not_there_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        _ = kd_engine.train  # type: ignore[attr-defined]
