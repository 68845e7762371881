from __future__ import annotations

import os
import signal

import pytest

from standalone.errors import Stopped
from standalone.signals import StopSignals


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_is_a_wish_that_is_asked_about(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with StopSignals() as signals:
        signals.check()
        assert not signals.asked()
        os.kill(os.getpid(), number)
        assert signals.asked()
        assert not signals.asked_twice()
        with pytest.raises(Stopped, match=number.name):
            signals.check()
        os.kill(os.getpid(), number)
        assert signals.asked_twice()
    assert signal.getsignal(number) is before
