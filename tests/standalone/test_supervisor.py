from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from standalone.errors import CannotStart
from standalone.supervisor import Supervisor
from tests.standalone.helpers import PARENT, SLEEPER, STUBBORN, gone, known_pid, pid_of, program, tiny, until

Make = Callable[[], Supervisor]


def test_stop_leaves_nothing_not_even_what_a_program_started(make_supervisor: Make, tmp_path: Path) -> None:
    supervisor = make_supervisor()
    supervisor.start([tiny(SLEEPER, "redis", tmp_path), tiny(PARENT, "worker-1", tmp_path)])
    supervisor.wait_ready(30)
    pids = [known_pid(tmp_path, name) for name in ("redis", "worker-1", "worker-1-child")]
    assert not any(gone(pid) for pid in pids)

    supervisor.stop()

    until(lambda: all(gone(pid) for pid in pids), "all processes gone")


def test_the_last_started_stops_first(make_supervisor: Make, tmp_path: Path) -> None:
    order = tmp_path / "order"
    code = (
        "import signal, sys, time, pathlib\n"
        f"def end(*_): open({str(order)!r}, 'a').write('{{name}} '); sys.exit()\n"
        "signal.signal(signal.SIGTERM, end)\n"
    ) + SLEEPER
    supervisor = make_supervisor()
    supervisor.start([tiny(code, name, tmp_path) for name in ("redis", "api", "worker-1", "worker-2")])
    supervisor.wait_ready(30)

    supervisor.stop()

    stopped = order.read_text().split()
    assert set(stopped[:2]) == {"worker-1", "worker-2"}
    assert stopped[2:] == ["api", "redis"]


def test_a_program_that_ignores_sigterm_is_killed_after_its_grace(make_supervisor: Make, tmp_path: Path) -> None:
    supervisor = make_supervisor()
    supervisor.start([tiny(STUBBORN, "stubborn", tmp_path, grace_seconds=0.2)])
    supervisor.wait_ready(30)

    supervisor.stop()

    assert gone(known_pid(tmp_path, "stubborn"))


def test_a_killed_program_is_started_again_and_its_own_children_go_with_it(
    make_supervisor: Make, tmp_path: Path, screen: io.StringIO
) -> None:
    supervisor = make_supervisor()
    supervisor.start([tiny(PARENT, "worker-1", tmp_path)])
    supervisor.wait_ready(30)
    first, grandchild = known_pid(tmp_path, "worker-1"), known_pid(tmp_path, "worker-1-child")
    os.kill(first, signal.SIGKILL)

    def lives_again() -> bool:
        supervisor.tick()
        return pid_of(tmp_path, "worker-1") not in (None, first)

    until(lives_again, "the program lives again")
    until(lambda: gone(grandchild), "what the first one started is gone")
    assert supervisor.pids == {"worker-1": known_pid(tmp_path, "worker-1")}
    assert "worker-1 was killed by SIGKILL; it is started again" in screen.getvalue()


def test_each_death_soon_after_the_start_makes_the_pause_longer(make_supervisor: Make, screen: io.StringIO) -> None:
    supervisor = make_supervisor()
    supervisor.start([program("loop", "pass")])

    def died_thrice() -> bool:
        supervisor.tick()
        return screen.getvalue().count("loop ended with exit status 0") == 3

    until(died_thrice, "three deaths")
    pauses = [line.rpartition("again in ")[2] for line in screen.getvalue().splitlines()]
    assert pauses == ["0.5 s", "1 s", "2 s"]


def test_a_program_that_ends_at_its_start_is_reported_with_its_last_words(make_supervisor: Make) -> None:
    supervisor = make_supervisor()
    supervisor.start([program("api", "import sys; sys.exit('no such database')", ready=lambda: False)])
    with pytest.raises(CannotStart, match="api ended with exit status 1 at its start") as caught:
        supervisor.wait_ready(30)
    assert "no such database" in str(caught.value)
    assert "api.log" in str(caught.value)


def test_a_program_that_never_is_ready_is_reported(make_supervisor: Make) -> None:
    supervisor = make_supervisor()
    supervisor.start([program("api", "import time; time.sleep(1000)", ready=lambda: False)])
    with pytest.raises(CannotStart, match=r"api was not ready after 0\.2 seconds"):
        supervisor.wait_ready(0.2)


def test_output_goes_to_the_log_and_under_its_name_to_the_console(
    make_supervisor: Make, tmp_path: Path, screen: io.StringIO
) -> None:
    supervisor = make_supervisor()
    supervisor.start([program("api", "import os; os.write(1, b'caf\\xe9\\nsecond')")])
    until(lambda: not supervisor.pids, "the end of the program")
    supervisor.stop()
    assert (tmp_path / "logs" / "api.log").read_bytes() == b"caf\xe9\nsecond"
    assert screen.getvalue().splitlines()[:2] == ["api      | caf\ufffd", "api      | second"]


def test_a_large_log_of_earlier_starts_is_moved_aside(make_supervisor: Make, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    logs.mkdir()
    with (logs / "api.log").open("wb") as file:
        file.truncate(21 * 2**20)
    supervisor = make_supervisor()
    supervisor.start([program("api", "print('new')")])
    until(lambda: not supervisor.pids, "the end of the program")
    supervisor.stop()
    assert (logs / "api.log").read_text() == "new\n"
    assert (logs / "api.log.1").stat().st_size == 21 * 2**20
