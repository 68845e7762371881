"""The compiler stays out of a run, from its first step to its report, in a fresh process as a run has it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
RUN = """
import sys
from pathlib import Path
import torch
from kd_engine.platform.device import set_up
from kd_engine.jobspec import TrainingSpec
from tests.kd_engine.small_runs import DIGITS, run_spec
set_up(torch.device("cpu"), 1)
for name in ("sgd", "adam", "adamw"):
    layer = torch.nn.Linear(2, 2)
    recipe = TrainingSpec.model_validate({"epochs": 1, "optimizer": {"name": name, "lr": 0.1}})
    optimizer = recipe.optimizer.build(layer.parameters())
    before = layer.weight.detach().clone()
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    optimizer.load_state_dict(optimizer.state_dict())
    assert not torch.equal(before, layer.weight)
    assert "torch._dynamo" not in sys.modules, name
run_spec(DIGITS, Path(sys.argv[1]))
assert (Path(sys.argv[1]) / "student.safetensors").exists()
assert "torch._dynamo" not in sys.modules, "the run"
"""


def test_a_run_needs_no_compiler(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RUN, str(tmp_path)], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr


def test_a_run_starts_without_what_only_its_end_needs() -> None:
    """What draws, writes for TensorBoard or computes intervals takes longer to import than some epochs."""
    late = ("matplotlib", "tensorboardX", "boto3", "scipy")
    code = f"import sys, kd_engine.runs.entry, kd_engine.runs.rank_main; print([n for n in {late} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert done.stdout.strip() == "[]", done.stderr
