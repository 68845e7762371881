"""Starts the processes of a run on several devices, hears them, and leaves none behind.

This process trains nothing, so nothing can block it: it hears at once when one of the others ends. They stay in its
process group, and each ends by itself when this one is gone, however it went.
"""

from __future__ import annotations

import logging
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import kd_engine
from kd_engine.jobspec import AnySpec
from kd_engine.runs.rank_main import STOP
from kd_engine.runs.request import RunRequest
from kd_engine.schema.errors import EngineError, Interrupted, ProcessLost
from kd_engine.schema.events import Event, Finished, parse_event
from kd_engine.schema.run_request import RunOptions

log = logging.getLogger(__name__)
_FOLDER = ".processes"
_POLL_SECONDS = 0.05
_GRACE_SECONDS = 10.0  # for the others to end by themselves once one has failed, or the run is over
_ROOT = Path(kd_engine.__file__).resolve().parent.parent


def launch(
    spec: AnySpec, options: RunOptions, emit: Callable[[Event], None], should_stop: Callable[[], bool]
) -> Finished:
    """Runs `spec` in `spec.resources.devices` processes; arguments and result as of `entry.run`."""
    # A private folder: the request, and the file by which they find each other without listening on any port for it.
    folder = options.out_dir / _FOLDER
    shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed here
    folder.mkdir(mode=0o700)
    try:
        RunRequest(spec, options).write(folder)
        with _Group(folder.absolute(), spec.resources.devices) as group:
            return group.hear(emit, should_stop)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Process:
    """One process of the group: its lifeline, its reports, and how it ended."""

    def __init__(self, folder: Path, rank: int, size: int) -> None:
        self.rank = rank
        self.finished: Finished | None = None
        self.killed = False
        reports, write_end = os.pipe()
        self.reports = os.fdopen(reports, "rb", buffering=0)
        self._unread = b""
        command = [sys.executable, "-m", "kd_engine.runs.rank_main", str(folder), str(rank), str(size), str(write_end)]
        paths = [str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            self.popen = subprocess.Popen(
                command,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
                stdin=subprocess.PIPE,  # the lifeline: it ends when this process does
                bufsize=0,
                pass_fds=[write_end],
            )
        finally:
            os.close(write_end)

    def ask_to_stop(self) -> None:
        assert self.popen.stdin is not None
        try:
            self.popen.stdin.write(STOP)
        except BrokenPipeError:
            log.debug("process %d is gone already", self.rank)

    def events(self) -> list[Event] | None:
        """What it has reported since; None once it will report no more."""
        chunk = self.reports.read(2**16)
        if not chunk:
            return None
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        return [parse_event(line) for line in lines]

    def kill(self) -> None:
        self.killed = True
        self.popen.kill()

    @property
    def outcome(self) -> str:
        """How it ended without saying why."""
        code = self.popen.wait()
        return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit status {code}"

    def close(self) -> None:
        try:
            self.popen.wait(_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            self.popen.wait()
        assert self.popen.stdin is not None
        self.popen.stdin.close()
        self.reports.close()


class _Group:
    """All processes of a run; a context manager that ends them."""

    def __init__(self, folder: Path, size: int) -> None:
        self._processes: list[_Process] = []
        self._ended: list[_Process] = []  # in the order in which they did
        try:
            for rank in range(size):
                self._processes.append(_Process(folder, rank, size))
        except BaseException:
            self._end()
            raise

    def hear(self, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> Finished:
        """Passes on the first process's events and a wish to stop, until all have ended; says how the run did."""
        asked, kill_at = False, None
        with selectors.DefaultSelector() as selector:
            for process in self._processes:
                selector.register(process.reports, selectors.EVENT_READ, process)
            while len(self._ended) < len(self._processes):
                for key, _ in selector.select(_POLL_SECONDS):
                    self._take(key.data, selector, emit)
                if not asked and should_stop():
                    asked = True
                    self._processes[0].ask_to_stop()
                if kill_at is None and any(_blame(process) > 0 for process in self._ended):
                    kill_at = time.monotonic() + _GRACE_SECONDS
                if kill_at is not None and time.monotonic() >= kill_at:
                    self._kill()
        return self._settled()

    def _take(self, process: _Process, selector: selectors.BaseSelector, emit: Callable[[Event], None]) -> None:
        events = process.events()
        if events is None:
            selector.unregister(process.reports)
            self._ended.append(process)
            return
        for event in events:
            if isinstance(event, Finished):
                process.finished = event
            else:
                emit(event)

    def _settled(self) -> Finished:
        """How the run ended: what the first process says, or what went wrong first where something did."""
        worst = max(self._ended, key=_blame)
        if _blame(worst) == 0:
            worst = self._processes[0]
        if worst.finished is not None:
            return worst.finished
        where = f"process {worst.rank + 1} of {len(self._processes)}"
        return Finished(reason=ProcessLost.code, detail=f"{where} {worst.outcome}; the others were ended.")

    def _kill(self) -> None:
        for process in self._processes:
            if process not in self._ended:
                process.kill()

    def _end(self) -> None:
        for process in self._processes:
            process.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if error is not None:
            self._kill()
        self._end()


def _blame(process: _Process) -> int:
    """How likely this process's end is why the run failed: the others then end too, for want of this one."""
    if process.finished is None:
        return 0 if process.killed else 3
    by_reason = {"completed": 0, Interrupted.code: 0, ProcessLost.code: 1, EngineError.code: 2}
    return by_reason.get(process.finished.reason, 4)
