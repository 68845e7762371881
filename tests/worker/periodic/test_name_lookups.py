"""Names that nobody answers for: waited for until a deadline, by few threads, and by few for one owner."""

from __future__ import annotations

import threading
import time

import pytest

from tests.worker.hooks import slow_names
from worker.periodic.name_lookups import Lookups, NoAddress


def _left_behind() -> int:
    return sum(thread.name == "lookup" for thread in threading.enumerate())


def test_a_name_means_each_address_once() -> None:
    assert Lookups().addresses("127.0.0.1", 80, "vision", 10) == ["127.0.0.1"]
    assert set(Lookups().addresses("localhost", 80, "vision", 10)) <= {"127.0.0.1", "::1"}


def test_a_name_that_is_none_says_so() -> None:
    for name in ("no-such-host.invalid", "a" * 64 + ".example", "a..example"):
        with pytest.raises(NoAddress, match=f"the name '{name}' could not be looked up"):
            Lookups().addresses(name, 80, "vision", 30)


def test_what_is_left_behind_is_bounded_for_one_and_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    lookups = Lookups(at_once=3, of_one=2)

    def slow(whose: str) -> str:
        with pytest.raises(NoAddress) as failure:
            lookups.addresses("slow.example", 80, whose, 0.01)
        return str(failure.value)

    with slow_names(monkeypatch) as answered:
        assert ["others" in slow("many") for _ in range(4)] == [False, False, True, True]
        assert lookups.addresses("127.0.0.1", 80, "few", 10) == ["127.0.0.1"], "others have room"
        assert ["others" in slow("few") for _ in range(2)] == [False, True]
        assert _left_behind() == 3
        answered.set()
    deadline = time.monotonic() + 30
    while _left_behind() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert lookups.addresses("127.0.0.1", 80, "many", 10) == ["127.0.0.1"], "what came to its end makes room"
