from __future__ import annotations

import contextlib
import io
import os

from standalone.console import Console


def test_children_can_be_kept_off_the_screen() -> None:
    screen = io.StringIO()
    console = Console(screen, show_children=False)
    console.child_line("api", "hidden")
    console.line("shown")
    assert screen.getvalue() == "shown\n"


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
