from __future__ import annotations

import time

from benchmarks.turns import Measured, in_turns


def test_contestants_take_turns_after_a_warm_up() -> None:
    order: list[str] = []
    measured = in_turns({name: lambda name=name: order.append(name) for name in "ab"}, rounds=2)  # type: ignore[misc]

    assert order == ["a", "b", "a", "b", "a", "b"]
    assert [len(seconds) for seconds in measured.seconds.values()] == [2, 2]


def test_a_contestant_may_tell_its_own_seconds() -> None:
    measured = in_turns({"slow": lambda: 3.0, "fast": lambda: 1.5}, rounds=1)

    assert measured.median("slow") == 3.0
    assert measured.speedup("fast", "slow") == 2.0


def test_a_speedup_is_the_median_of_the_ratios_within_rounds() -> None:
    seconds, cpu_seconds = {"baseline": [1.0, 10.0, 4.0], "fast": [1.0, 5.0, 1.0]}, {"baseline": [6.0], "fast": [2.0]}
    measured = Measured(seconds, cpu_seconds)

    assert measured.speedup("fast", "baseline") == 2.0
    assert measured.cpu_speedup("fast", "baseline") == 3.0


def test_cpu_seconds_leave_out_what_others_computed() -> None:
    def busy() -> None:
        end = time.process_time() + 0.02
        while time.process_time() < end:
            pass

    measured = in_turns({"busy": busy, "asleep": lambda: time.sleep(0.02)}, rounds=1)

    assert measured.cpu_seconds["busy"][0] >= 0.02 > measured.cpu_seconds["asleep"][0]
