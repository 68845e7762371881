"""The wheel holds the client and the engine, and runs on what it says that it needs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import zipfile
from email.message import Message
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.docs.blocks import ROOT

_PACKAGES = ("distillery", "kd_engine", "jobs", "api", "worker", "standalone")
# Runs without site-packages: sys.path is Python's own library and the two folders that come as arguments.
_INSIDE = """
import sys
sys.path += sys.argv[1:3]
import importlib, importlib.util, json, pkgutil

import distillery, kd_engine
light = [kd_engine.__path__[0] + "/" + name for name in ("schema", "catalog", "jobspec", "losses", "optim")]
modules = [found.name for found in pkgutil.walk_packages(distillery.__path__, "distillery.")]
for path in light:
    modules += [found.name for found in pkgutil.walk_packages([path], "kd_engine." + path.rsplit("/", 1)[1] + ".")]
for name in modules:
    if name != "distillery.__main__":
        importlib.import_module(name)
try:
    from kd_engine import run
except ImportError as error:
    refusal = str(error)
print(json.dumps({
    "modules": modules,
    "strangers": [name for name in ("torch", "numpy", "sqlalchemy", "fastapi", "celery", "api", "jobs", "standalone")
                  if name in sys.modules or importlib.util.find_spec(name)],
    "refusal": refusal,
    "timm": len(kd_engine.JobSpec.model_validate(
        {"dataset": "digits", "teacher": "mlp", "student": "timm/resnet18", "temperature": 2}).student.model),
}))
"""
_COMMAND = """
import sys
sys.path += sys.argv[1:3]
from importlib.metadata import distribution
(script,) = distribution("distillery").entry_points.select(group="console_scripts")
sys.exit(script.load()(sys.argv[3:]))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, made of a copy of the project without a network."""
    source = tmp_path_factory.mktemp("project")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in _PACKAGES:
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    target = tmp_path_factory.mktemp("wheel")
    command = ["pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation", "--wheel-dir", target, "."]
    done = subprocess.run([sys.executable, "-m", *command], cwd=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (made,) = target.iterdir()
    return made


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(archive.read(name).decode())


@pytest.fixture(scope="module")
def installed(wheel: Path, metadata: Message, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """An environment of the wheel and what it requires without extras, as two folders for sys.path."""
    code, packages = tmp_path_factory.mktemp("code"), tmp_path_factory.mktemp("packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(code)
    for name in required(metadata.get_all("Requires-Dist", [])):
        one = distribution(name)
        for top in {file.parts[0] for file in one.files or () if file.parts[0] not in ("..", "__pycache__")}:
            (packages / top).symlink_to(Path(str(one.locate_file(top))))
    return [str(code), str(packages)]


def required(lines: list[str]) -> set[str]:
    """The names of all packages that these requirements bring, where no extra is asked for."""
    names: set[str] = set()
    waiting = list(lines)
    while waiting:
        one = Requirement(waiting.pop())
        name = canonicalize_name(one.name)
        if (one.marker is None or one.marker.evaluate({"extra": ""})) and name not in names:
            names.add(name)
            waiting += distribution(name).requires or []
    return names


def inside(installed: list[str], program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", "-S", "-c", program, *installed, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_it_holds_the_client_and_the_engine_and_all_of_them(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if ".dist-info/" not in name}
    ours = {
        str(path.relative_to(ROOT))
        for name in ("distillery", "kd_engine")
        for path in (ROOT / name).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert files == ours


def test_its_extras_are_those_of_the_project(metadata: Message) -> None:
    assert {"service", "engine", "timm", "api", "worker", "standalone"} <= set(metadata.get_all("Provides-Extra", []))
    base = {Requirement(line).name for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}
    assert base == {"pydantic", "httpx2"}
    for extra in ("api", "worker", "standalone"):
        assert f'distillery[service]; extra == "{extra}"' in metadata.get_all("Requires-Dist", [])


def test_in_an_environment_of_its_own_all_is_there_but_the_engines_packages(installed: list[str]) -> None:
    done = inside(installed, _INSIDE)
    assert done.returncode == 0, done.stderr

    seen = json.loads(done.stdout)
    assert {"distillery.resources", "distillery.cli.app", "kd_engine.schema.report"} <= set(seen["modules"])
    assert seen["strangers"] == []
    assert seen["refusal"] == "kd_engine.run needs torch, which is not installed: pip install 'distillery[engine]'"
    assert seen["timm"] == len("timm/resnet18")


def test_the_engines_command_says_what_it_lacks(installed: list[str]) -> None:
    program = "import sys; sys.path += sys.argv[1:3]; from kd_engine.__main__ import main; sys.exit(main(sys.argv[3:]))"
    done = inside(installed, program, "evaluate", "student.safetensors", "--dataset", "digits")

    assert done.returncode == 2
    assert "pip install 'distillery[engine]'" in done.stderr


def test_serve_says_where_the_service_is(installed: list[str]) -> None:
    done = inside(installed, _COMMAND, "serve")

    assert (done.returncode, done.stdout) == (2, "")
    assert "checkout" in done.stderr
    assert "make serve" in done.stderr
