"""Steps are done again and again, whatever happens to one of them."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy.exc import OperationalError

from worker.periodic.runner import PeriodicRunner, Step


@pytest.mark.parametrize("error", [OperationalError("SELECT 1", {}, Exception("gone")), KeyError("a mistake")])
def test_a_step_that_fails_is_done_again_and_ends_no_other(error: Exception) -> None:
    failed, done = threading.Semaphore(0), threading.Semaphore(0)

    def fail() -> None:
        failed.release()
        raise error

    def succeed() -> None:
        done.release()

    runners = PeriodicRunner("test", Step(fail, 0.01), Step(succeed, 0.01))
    runners.start()
    for _ in range(3):
        assert failed.acquire(timeout=30)
        assert done.acquire(timeout=30)
    runners.stop()


def test_each_step_has_its_own_pace() -> None:
    often, seldom = [0], [0]
    enough = threading.Event()

    def count() -> None:
        often[0] += 1
        if often[0] == 20:
            enough.set()

    def count_seldom() -> None:
        seldom[0] += 1

    runners = PeriodicRunner("test", Step(count, 0.001), Step(count_seldom, 3600))
    runners.start()
    assert enough.wait(30)
    runners.stop()
    assert seldom == [1]


def test_stopping_what_never_started_does_nothing() -> None:
    PeriodicRunner("test", Step(lambda: None, 1)).stop()
