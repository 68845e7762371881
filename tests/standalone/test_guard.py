from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from standalone.guard import Guard, stop_groups
from standalone.lock import HomeLock, holders
from tests.standalone.helpers import ROOT, gone, known_pid, pid_of, until


def test_kill_9_of_the_supervisor_leaves_no_process_behind(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.standalone.tiny_service", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as supervisor:
        until(lambda: pid_of(tmp_path, "guard") is not None, "all programs are up")
        pids = [known_pid(tmp_path, name) for name in ("parent", "parent-child", "stubborn", "guard")]
        supervisor.send_signal(signal.SIGKILL)
    until(lambda: all(gone(pid) for pid in pids), "all processes gone")


def test_after_a_kill_9_the_next_supervisor_waits_for_the_guard(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.standalone.tiny_service", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as supervisor:
        until(lambda: pid_of(tmp_path, "guard") is not None, "all programs are up")
        stubborn = known_pid(tmp_path, "stubborn")
        supervisor.send_signal(signal.SIGKILL)
    with HomeLock(tmp_path):
        assert gone(stubborn)


def test_after_a_kill_9_of_guard_and_supervisor_the_next_one_ends_what_is_left(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.standalone.tiny_service", str(tmp_path)]
    said: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as supervisor:
        until(lambda: pid_of(tmp_path, "guard") is not None, "all programs are up")
        pids = [known_pid(tmp_path, name) for name in ("parent", "parent-child", "stubborn")]
        os.kill(known_pid(tmp_path, "guard"), signal.SIGKILL)
        supervisor.send_signal(signal.SIGKILL)
    try:
        assert not any(gone(pid) for pid in pids)
        with HomeLock(tmp_path, say=said.append, grace_seconds=0.5):
            assert all(gone(pid) for pid in pids)
    finally:
        stop_groups(pids, 0)

    assert len(said) == 1
    assert all(str(known_pid(tmp_path, name)) in said[0] for name in ("parent", "stubborn"))


def test_who_only_reads_the_file_holds_no_lock(tmp_path: Path) -> None:
    with HomeLock(tmp_path) as lock, (tmp_path / "processes.lock").open() as reading:
        command = [sys.executable, "-c", "import time; time.sleep(1000)"]
        with (
            subprocess.Popen(command, start_new_session=True, pass_fds=(lock.fd,)) as holder,
            subprocess.Popen(command, start_new_session=True, pass_fds=(reading.fileno(),)) as reader,
        ):
            assert holders(tmp_path / "processes.lock") == {os.getpid(), holder.pid}
            for process in (holder, reader):
                process.kill()


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-c", "import time; time.sleep(1000)"]
    with subprocess.Popen(command, start_new_session=True) as process:
        yield process
        process.kill()


def test_what_was_forgotten_is_left_alone(sleeper: subprocess.Popen[bytes]) -> None:
    guard = Guard(grace_seconds=0.5)
    guard.watch(sleeper.pid)
    guard.forget(sleeper.pid)
    guard.close()
    assert sleeper.poll() is None


def test_a_guard_that_died_is_started_again_and_knows_its_groups(sleeper: subprocess.Popen[bytes]) -> None:
    guard = Guard(grace_seconds=0.5)
    guard.watch(sleeper.pid)
    first = guard.pid
    os.kill(first, signal.SIGKILL)

    def renewed() -> bool:
        guard.check()
        return guard.pid != first

    until(renewed, "a new guard")
    guard.close()
    assert sleeper.wait() == -signal.SIGTERM
