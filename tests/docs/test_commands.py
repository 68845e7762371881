"""Every command in the README and the docs works as written and prints what they say that it prints."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, agrees, run

pytestmark = pytest.mark.timeout(300)  # half a minute on an idle core, among all that others run


def check(pairs: list[tuple[str, str]]) -> None:
    for promised, printed in pairs:
        assert agrees(promised, printed), f"promised:\n{promised}\n\nprinted:\n{printed}"


def trained_briefly(page: Path, folder: Path) -> Path:
    """The page with jobs of two epochs: what they learn is masked, and the demo trains the README's in full."""
    brief = folder / page.name
    brief.write_text(re.sub(r'"epochs": \d+', '"epochs": 2', page.read_text()))
    return brief


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.parametrize(("page", "promises"), [("api-access.md", 1), ("api.md", 5), ("api-results.md", 5)])
def test_the_api_pages_against_a_real_service(
    page: str, promises: int, service: str, checkout: Path, plain_env: dict[str, str]
) -> None:
    """The first of them shows what nobody has used yet."""
    pairs = run(ROOT / "docs" / page, checkout, plain_env, service)

    check(pairs)
    assert len(pairs) >= promises


@pytest.mark.service
@pytest.mark.slow
def test_the_readme_against_a_real_service(service: str, checkout: Path, plain_env: dict[str, str]) -> None:
    pairs = run(trained_briefly(ROOT / "README.md", checkout), checkout, plain_env, service)

    check(pairs)
    printed = "\n".join(real for _, real in pairs)
    assert '"state": "succeeded"' in printed
    assert "\nstudent alone " in printed
    assert "distilled less alone" in printed
    assert "student.safetensors: OK" in printed


@pytest.mark.service
@pytest.mark.slow
def test_the_page_on_own_data(service: str, checkout: Path, plain_env: dict[str, str], photos: Path) -> None:
    pairs = run(ROOT / "docs" / "own-data.md", checkout, plain_env, service)

    check(pairs)
    named = (checkout / "named.csv").read_text().splitlines()
    assert len(named) == 1 + sum(path.is_file() for path in photos.rglob("*"))
    assert {line.split(",")[1] for line in named[1:]} <= {path.name for path in photos.iterdir()}


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.parametrize(("page", "promises"), [("command.md", 5), ("sdk.md", 2)])
def test_the_pages_of_the_command_and_the_client(
    page: str, promises: int, service: str, checkout: Path, plain_env: dict[str, str], photos: Path, tmp_path: Path
) -> None:
    pairs = run(ROOT / "docs" / page, checkout, plain_env | {"XDG_CACHE_HOME": str(tmp_path / "cache")}, service)

    check(pairs)
    assert len(pairs) >= promises
    assert len(list((checkout / "out").iterdir())) == 1


@pytest.mark.slow
def test_the_page_on_sweeps(checkout: Path, plain_env: dict[str, str]) -> None:
    pairs = run(ROOT / "docs" / "sweeps.md", checkout, plain_env)

    check(pairs)
    assert len(pairs) == 2


@pytest.mark.slow
def test_the_engine_page(checkout: Path, plain_env: dict[str, str]) -> None:
    check(run(ROOT / "docs" / "engine.md", checkout, plain_env))


@pytest.mark.slow
def test_the_page_on_tasks(checkout: Path, plain_env: dict[str, str]) -> None:
    check(run(trained_briefly(ROOT / "docs" / "tasks.md", checkout), checkout, plain_env))


@pytest.mark.parametrize(
    ("promised", "printed", "expected"),
    [
        ("one\ntwo", "one\ntwo", True),
        ("one\ntwo", "one\nthree", False),
        ("one\n...\nfour", "one\ntwo\nthree\nfour", True),
        ("one\n  ...", "one\ntwo", True),
        ("...\ntwo", "one\ntwo", True),
        ("one\n...\nfour", "one\nfour and five", False),
    ],
)
def test_a_line_of_dots_stands_for_any_lines(promised: str, printed: str, expected: bool) -> None:
    assert agrees(promised, printed) is expected
