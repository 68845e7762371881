from __future__ import annotations

import io
import os

import pytest

from distillery.cli import output


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_table_fits_the_terminal_and_its_widest_column_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr("sys.stdout", terminal)
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((30, 20)))

    output.table(("ID", "NAME", "STATE"), [("job_1", "a name that is longer than it may be", "queued")])

    assert terminal.getvalue().splitlines() == ["ID     NAME             STATE", "job_1  a name that is…  queued"]


def test_a_pipe_gets_whole_values_and_no_names_of_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.table(("ID", "NAME"), [("job_1", "a\tb\x1b[2J"), ("job_2", None)])

    assert capsys.readouterr().out == "job_1\ta\\x09b\\x1b[2J\njob_2\t\n"
    assert output.safe_lines("one\x1b[1m\ntwo") == "one\\x1b[1m\ntwo"
