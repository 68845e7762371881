from __future__ import annotations

import importlib.util
from importlib.machinery import ModuleSpec
from pathlib import Path

import pytest

from distillery.cli import serve
from distillery.cli.app import main

_find_spec = importlib.util.find_spec


def test_packages_that_are_missing_are_told_by_their_extras(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None if name in ("fastapi", "torch") else _find_spec(name)

    monkeypatch.setattr("importlib.util.find_spec", find)

    assert main(["serve"]) == 2
    assert "pip install '.[api,engine,standalone]'" in capsys.readouterr().err


def test_without_the_service_beside_it_the_command_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(serve, "_BESIDE", tmp_path)

    assert main(["serve"]) == 2
    assert "make serve" in capsys.readouterr().err
