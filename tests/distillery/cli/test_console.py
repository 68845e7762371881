from __future__ import annotations

import contextlib
import fcntl
import io
import os
import pty
import struct
import termios

from distillery.cli.console import Console


def test_children_can_be_kept_off_the_screen() -> None:
    screen = io.StringIO()
    console = Console(screen, show_children=False)
    console.child_line("api", "hidden")
    console.line("shown")
    assert screen.getvalue() == "shown\n"


def test_of_what_children_write_their_own_warnings_can_be_shown_alone() -> None:
    screen = io.StringIO()
    console = Console(screen, show_children=False, show_warnings=True)
    for line in (
        "1:M 30 Nov 2026 21:44:19.827 # WARNING Memory overcommit must be enabled!",
        "You're running the worker with superuser privileges: this is absolutely not recommended!",
        "2026-11-30 21:44:19,827 WARNING celery.worker: consumer: Connection to broker lost",
        "2026-11-30 21:44:19,827 INFO worker.attempt.execute: job_1 begins",
    ):
        console.child_line("worker-1", line)
    assert screen.getvalue() == ""
    for level, name in (("WARNING", "worker.room"), ("ERROR", "api.http.errors"), ("ERROR", "uvicorn.error")):
        console.child_line("worker-1", f"2026-11-30 21:44:19,827 {level} {name}: look")
    assert screen.getvalue().count(": look\n") == 3


def test_a_terminal_that_went_away_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    stream = os.fdopen(writer, "w")
    console = Console(stream)
    console.line("nobody reads this")
    console.child_line("api", "nor this")
    assert not console.live
    with contextlib.suppress(BrokenPipeError):
        stream.close()


def test_a_line_that_is_written_over_is_no_wider_than_the_terminal() -> None:
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 20, 0, 0))
    with os.fdopen(slave, "w") as stream:
        Console(stream).over("teacher  epoch 12/200  validation accuracy")
        assert os.read(master, 1000) == b"\r\x1b[2Kteacher  epoch 12/2"
    os.close(master)
