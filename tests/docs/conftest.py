from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.docs.blocks import ROOT

_PATIENCE = 60.0  # seconds; only a failing test waits so long


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout to the commands in the docs; what they write stays in it."""
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in ("distillery", "kd_engine", "examples"):
        (folder / name).symlink_to(ROOT / name)
    (folder / ".venv").symlink_to(sys.prefix)
    return folder


@pytest.fixture
def photos(checkout: Path) -> Path:
    """A folder of photos by class: some of the real flowers where they are at hand, else pictures of noise."""
    folder = checkout / "photos"
    flowers = Path(os.environ.get("KD_DATA_DIR", "/nowhere")) / "flower_photos" / "train"
    for name, colour in (("daisy", 40), ("roses", 120), ("tulips", 200)):
        (folder / name).mkdir(parents=True)
        real = sorted(flowers.glob(f"{name}/*.jpg"))[:30]
        for path in real:
            shutil.copy(path, folder / name)
        for number in range(30 - len(real)):
            pixels = np.random.default_rng(number).integers(colour - 40, colour + 40, (40, 50, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number:02}.jpg")
    return folder


@pytest.fixture
def plain_env() -> dict[str, str]:
    """The environment without settings of a real service, on one CPU thread: the tests share the machine."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KD_")}
    return kept | {"OMP_NUM_THREADS": "1"}


@pytest.fixture
def service(_served: tuple[str, Path]) -> str:
    """The URL of a service that has trained no teacher yet; who reads one page after another has one and the same."""
    url, home = _served
    shutil.rmtree(home / "cache" / "teachers", ignore_errors=True)
    return url


@pytest.fixture(scope="module")
def _served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL and the home of a service, started as `make serve` does, on a free port."""
    if shutil.which("curl") is None:
        message = "the commands in the docs need curl, which was not found"
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(message)
    folder = tmp_path_factory.mktemp("service")
    env = {name: value for name, value in os.environ.items() if not name.startswith("KD_")}
    env |= {"KD_HOME": str(folder / "home"), "KD_PORT": "0", "KD_DEVICE": "cpu", "KD_THREADS": "1"}
    output = folder / "serve.out"
    with output.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "distillery", "serve"], cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT
        )
    try:
        yield _url(process, output), folder / "home"
    finally:
        process.terminate()
        process.wait(_PATIENCE)


def _url(process: subprocess.Popen[bytes], output: Path) -> str:
    deadline = time.monotonic() + _PATIENCE
    while "ready at http" not in output.read_text():
        assert process.poll() is None, output.read_text()
        assert time.monotonic() < deadline, output.read_text()
        time.sleep(0.05)
    return output.read_text().partition("ready at ")[2].split()[0]
