"""What several tests of the engine need."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kd_engine.catalog import DATASETS
from kd_engine.jobspec import JobSpec

SHORT = {"dataset": "mnist", "teacher": "mnist_cnn", "student": "softmax_regression", "temperature": 5}


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    """Tiny tensors gain nothing from threads, and results must not depend on the machine's cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def body() -> Callable[..., dict[str, Any]]:
    """The shortest spec that works, with keys replaced, or left out where the value is None."""

    def make(**changes: Any) -> dict[str, Any]:
        return {key: value for key, value in (SHORT | changes).items() if value is not None}

    return make


@pytest.fixture
def job(body: Callable[..., dict[str, Any]]) -> Callable[..., JobSpec]:
    """The spec made of `body`'s keys."""
    return lambda **changes: JobSpec.model_validate(body(**changes))


@pytest.fixture
def real_data() -> Callable[[str], Path]:
    """The folder with the publisher's files of a data set; the test is skipped where there is none."""

    def find(name: str) -> Path:
        folder = os.environ.get("KD_DATA_DIR")
        if not folder or not DATASETS[name].present(Path(folder)):
            pytest.skip(f"needs the real {name}: set KD_DATA_DIR to a folder that holds it")
        return Path(folder)

    return find
