"""The worked examples of CONTRIBUTING: applied to a copy of the packages, they do what they say."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, Block, agrees, blocks, run

PAGE = ROOT / "CONTRIBUTING.md"
ROOMS = ("distillery", "jobs", "api", "worker", "standalone", "pyproject.toml")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # half a minute on an idle core, among all that others run


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout whose engine and tests may be changed."""
    folder = tmp_path / "checkout"
    for name in ("kd_engine", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ROOMS:
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


def section(title: str, folder: Path) -> Path:
    """One section of the page, as a page."""
    found = [part for part in PAGE.read_text().split("\n## ") if part.startswith(f"{title}\n")]
    assert len(found) == 1, title
    page = folder / "section.md"
    page.write_text(found[0] + "\n")
    return page


def apply(block: Block, folder: Path) -> None:
    """Writes a new file, or makes a change whose unchanged lines must be found in one place."""
    target = folder / block.title
    if block.language == "python":
        assert not target.exists(), f"{block.title} exists by now: choose another example"
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(block.text)
        return
    lines = block.text.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] in " -")
    after = "".join(line[1:] for line in lines if line[0] in " +")
    text = target.read_text()
    assert text.count(before) == 1, f"{block.title} has no longer, or not only once:\n{before}"
    target.write_text(text.replace(before, after))


def names_in_catalogue(folder: Path, kind: str) -> list[str]:
    """As a fresh process sees it."""
    rows = "[one for task in found['tasks'] for one in task['metrics']]" if kind == "metrics" else f"found[{kind!r}]"
    code = f"from kd_engine.catalog import catalog\nfound = catalog()\nfor row in {rows}: print(row['name'])"
    if kind == "kinds":
        code = "from kd_engine.jobspec import KINDS\nprint(*KINDS)"
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    ("title", "kind", "name"),
    [("Add a loss", "losses", "reverse_kl"), ("Add a model", "models", "gap_cnn"),
     ("Add a data set", "datasets", "stripes"), ("Add a kind of job", "kinds", "pixel_statistics"),
     ("Add a task", "tasks", "image_grades"), ("Add a metric", "metrics", "exact"),
     ("Add an exporter", "exporters", "onnx_float16")],
)  # fmt: skip
def test_a_worked_example(title: str, kind: str, name: str, copy: Path, plain_env: dict[str, str]) -> None:
    page = section(title, copy)
    assert name not in names_in_catalogue(copy, kind)
    titled = [block for block in blocks(page) if block.title]
    assert titled
    for block in titled:
        apply(block, copy)

    assert name in names_in_catalogue(copy, kind)
    changed = [block.title for block in titled]
    for command in (["check"], ["format", "--check"]):
        subprocess.run([sys.executable, "-m", "ruff", *command, *changed], cwd=copy, check=True, capture_output=True)
    for promised, printed in run(page, copy, plain_env):
        assert agrees(promised, printed), f"promised:\n{promised}\n\nprinted:\n{printed}"
