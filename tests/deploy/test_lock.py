"""Every package is pinned with its hashes, but torch, whose build each machine chooses (docs/decisions/032)."""

from __future__ import annotations

import re
import tomllib
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.blocks import ROOT

_HASH = re.compile(r" --hash=sha256:[0-9a-f]{64}")


def entries(path: Path) -> list[str]:
    """The lines of a lock, each with what follows on lines of its own."""
    text = re.sub(r"\s*\\\n\s*", " ", path.read_text())
    return [line for line in text.splitlines() if not line.startswith("#")]


LOCK = entries(ROOT / "requirements.lock")
PINNED = [Requirement(_HASH.sub("", entry)) for entry in LOCK]
TORCH = [Requirement(entry) for entry in entries(ROOT / "requirements-torch.lock")]


def test_every_package_has_one_version_and_hashes() -> None:
    assert [entry for entry in LOCK if not _HASH.search(entry)] == []
    assert [str(one) for one in PINNED if not re.fullmatch(r"==[^*,]+", str(one.specifier))] == []
    assert len({one.name for one in PINNED}) == len(PINNED)


def test_torch_alone_is_pinned_without_a_hash_and_installed_in_the_build_that_was_offered() -> None:
    assert [one.name for one in TORCH] == ["torch"]
    assert "torch" not in {one.name for one in PINNED}
    assert f"=={torch.__version__.partition('+')[0]}" == str(TORCH[0].specifier)
    assert torch.__version__ == version("torch")


def test_what_is_installed_is_what_is_pinned() -> None:
    wanted = {one.name: str(one.specifier)[2:] for one in PINNED if one.marker is None or one.marker.evaluate()}

    assert {name: version(name) for name in wanted} == wanted


def test_every_dependency_is_in_the_lock() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    direct = [Requirement(line) for line in lines]
    locked = {one.name: str(one.specifier)[2:] for one in [*PINNED, *TORCH]}

    for one in direct:
        if one.name == "distillery":  # an extra that stands on another
            assert one.extras <= set(project["optional-dependencies"])
            continue
        assert one.specifier.contains(locked[canonicalize_name(one.name)]), str(one)


@pytest.mark.parametrize("file", ["Makefile", "Dockerfile"])
def test_nothing_but_torch_is_installed_without_its_hash(file: str) -> None:
    text = (ROOT / file).read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install[^&\n]*", re.sub(r"^#.*$", "", text, flags=re.M))

    assert len(installs) >= 2
    for command in installs:
        assert "--require-hashes" in command or command.rstrip().endswith("-r requirements-torch.lock"), command
