"""Every JSON block in the docs is a job spec, or a piece of one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kd_engine.jobspec import parse_spec
from tests.docs.blocks import ROOT, blocks
from tests.docs.test_links import PAGES

_FORM = ("temperature", "alpha", "losses", "ce_weight")


def pieces() -> list[Any]:
    """Each block of each page with the page's first whole spec, which is what a piece is a change to."""
    found = []
    for page in PAGES:
        written = [json.loads(block.text) for block in blocks(page) if block.language == "json"]
        for number, block in enumerate(written, 1):
            for piece in block if isinstance(block, list) else [block]:
                found.append(pytest.param(piece, written[0], id=f"{page.relative_to(ROOT)}-{number}"))
    return found


@pytest.mark.parametrize(("piece", "whole"), pieces())
def test_a_block_is_a_spec_or_changes_one(piece: dict[str, Any], whole: dict[str, Any]) -> None:
    if "dataset" not in piece:
        # a piece that says what to minimise says all of it
        base = {key: value for key, value in whole.items() if key not in _FORM or not set(_FORM) & set(piece)}
        piece = base | piece

    spec = parse_spec(piece)

    assert parse_spec(spec.resolved().to_json()).resolved() == spec.resolved()


def test_there_are_such_blocks() -> None:
    assert len(pieces()) > 20
