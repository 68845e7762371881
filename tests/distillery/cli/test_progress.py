from __future__ import annotations

import io
from datetime import UTC, datetime
from typing import Any

from distillery.cli.console import Console
from distillery.cli.progress import ProgressLines
from distillery.resources import EventView


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def event(kind: str, data: dict[str, Any]) -> EventView:
    return EventView(seq=1, attempt=1, type=kind, data=data, at=datetime.now(UTC))


def epoch(number: int, epochs: int = 30, phase: str = "teacher") -> EventView:
    data = {"phase": phase, "repeat": 0, "epoch": number, "epochs": epochs, "metrics": {"val_accuracy": number / 100}}
    return event("epoch_end", data)


def ended(source: str = "trained", repeat: int = 0) -> EventView:
    data = {"phase": "student", "repeat": repeat, "source": source, "metrics": {"test_accuracy": 0.9583}}
    return event("phase_ended", data)


def test_a_file_gets_a_few_lines_a_phase_and_always_the_last() -> None:
    screen = io.StringIO()
    lines = ProgressLines(Console(screen))
    for number in range(1, 31):
        lines.show(epoch(number), 12.3)
    assert [line.split()[2] for line in screen.getvalue().splitlines()] == ["8/30", "16/30", "24/30", "30/30"]
    first = "  teacher        epoch   8/30  validation accuracy   8.00 %  job done in about 12 s"
    assert screen.getvalue().splitlines()[0] == first


def test_a_terminal_gets_one_line_a_phase_that_is_written_over() -> None:
    screen = Terminal()
    lines = ProgressLines(Console(screen))
    for number in (1, 2):
        lines.show(epoch(number, phase="student"), None)
    assert "\n" not in screen.getvalue()
    lines.show(ended(), None)
    assert screen.getvalue().count("\n") == 1
    assert screen.getvalue().rpartition("\r\x1b[2K")[2] == "  distilled      test accuracy  95.83 %\n"


def test_a_terminal_gets_a_bar_between_the_epochs() -> None:
    screen = Terminal()
    lines = ProgressLines(Console(screen))
    progress = {"phase": "student", "repeat": 0, "epoch": 3, "step": 1, "steps": 9, "fraction": 0.5}
    lines.show(epoch(2, phase="student"), None)
    lines.moved(progress | {"seconds_remaining": 41.2})
    shown = "  distilled      epoch   3  [########........]  50%  validation accuracy   2.00 %  job done in about 41 s"
    assert screen.getvalue().rpartition("\r\x1b[2K")[2] == shown
    file = io.StringIO()
    ProgressLines(Console(file)).moved(progress)
    assert file.getvalue() == ""


def test_where_a_teacher_came_from_and_which_repeat_it_is_are_said() -> None:
    screen = io.StringIO()
    lines = ProgressLines(Console(screen))
    lines.show(ended("cache"), None)
    lines.show(ended(repeat=2), None)
    assert "95.83 %, found in the cache" in screen.getvalue()
    assert "distilled (repeat 3)" in screen.getvalue()


def test_a_job_that_is_queued_again_says_why_on_a_line_of_its_own() -> None:
    screen = Terminal()
    lines = ProgressLines(Console(screen))
    lines.show(epoch(1), None)
    lines.show(event("requeued", {"why": "worker lost"}), None)
    assert screen.getvalue().endswith("\nthe job is queued again: worker lost\n")


def test_other_events_show_nothing() -> None:
    screen = io.StringIO()
    ProgressLines(Console(screen)).show(event("created", {}), None)
    assert screen.getvalue() == ""
