"""Progress through images: the first and the last are told, the others now and then, and any of them may end it."""

from __future__ import annotations

import pytest

from kd_engine.runs.item_progress import ImageProgress
from kd_engine.schema.errors import Interrupted
from tests.kd_engine.small_runs import Recorder


def test_the_first_and_the_last_are_told_and_few_between() -> None:
    recorder = Recorder()
    progress = ImageProgress("check", recorder.emit, recorder.should_stop)
    for done in range(1001):
        progress(done, 1000)
    told = recorder.of("progress")
    assert [told[0].fraction, told[-1].fraction] == [0, 1]
    assert (told[0].seconds_remaining, told[-1].seconds_remaining) == (None, 0)
    assert len(told) < 1001


def test_it_ends_when_asked() -> None:
    recorder = Recorder(stop_after=1)
    progress = ImageProgress("check", recorder.emit, recorder.should_stop)
    progress(0, 2000)
    with pytest.raises(Interrupted, match="after 1,234 of 2,000 images"):
        progress(1234, 2000)
