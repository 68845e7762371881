"""Every file under examples/ is a spec that can be run, and examples/README.md says what it is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kd_engine.jobspec import JobSpec, parse_spec
from kd_engine.jobspec.sweep import SweepSpec

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
FILES = sorted(EXAMPLES.rglob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_an_example_is_a_spec(path: Path) -> None:
    spec = parse_spec(json.loads(path.read_text()))

    resolved = spec.resolved()
    assert parse_spec(resolved.to_json()).resolved() == resolved


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(EXAMPLES)))
def test_an_example_says_in_its_name_what_it_is(path: Path) -> None:
    spec = parse_spec(json.loads(path.read_text()))

    assert spec.name
    jobs = [trial.spec for trial in spec.expanded] if isinstance(spec, SweepSpec) else [spec]
    for job in jobs:
        assert isinstance(job, JobSpec)
        assert job.baseline, "a reproduction compares with the student alone"


def test_examples_have_names_of_their_own() -> None:
    names = [json.loads(path.read_text())["name"] for path in FILES]

    assert len(set(names)) == len(names)


def test_the_table_has_every_folder_and_file() -> None:
    page = (EXAMPLES / "README.md").read_text()

    for path in FILES:
        inside = path.relative_to(EXAMPLES)
        written = f"`{inside.parent}/`" if inside.parent != Path() else f"`{inside}`"
        assert written in page or f"`{inside}`" in page, inside
