"""The compiler stays out of a run's first step, in a fresh process as a run has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STEP = """
import sys
import torch
from kd_engine.device import set_up
from kd_engine.spec import TrainingSpec
set_up(torch.device("cpu"), 1)
layer = torch.nn.Linear(2, 2)
recipe = TrainingSpec.model_validate({{"epochs": 1, "optimizer": {{"name": "{name}", "lr": 0.1}}}})
optimizer = recipe.optimizer.build(layer.parameters())
before = layer.weight.detach().clone()
layer(torch.ones(1, 2)).sum().backward()
optimizer.step()
optimizer.zero_grad(set_to_none=True)
optimizer.load_state_dict(optimizer.state_dict())
assert not torch.equal(before, layer.weight)
assert "torch._dynamo" not in sys.modules
"""


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_an_optimiser_works_without_the_compiler(name: str) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", STEP.format(name=name)], cwd=ROOT, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr


def test_a_run_starts_without_what_only_its_end_needs() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", "import sys, kd_engine.engine; print('matplotlib' in sys.modules)"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip

    assert done.stdout.strip() == "False", done.stderr
