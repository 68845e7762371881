"""A compiled teacher teaches as it did. Fresh processes, as a run has them: torch's compiler changes its own."""

from __future__ import annotations

import csv
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kd_engine.jobspec import JobSpec, teacher_hash
from tests.kd_engine.small_runs import LONG, run_spec

ROOT = Path(__file__).parents[3]
RECIPE: dict[str, Any] = {"epochs": 2, "batch_size": 256, "precision": "float32"}
COMPILED: dict[str, Any] = LONG | {"baseline": False, "training": RECIPE | {"compile": True}}
needs_compiler = pytest.mark.skipif(
    shutil.which("g++") is None, reason="there is no C++ compiler (g++) to compile with"
)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What was compiled, torch's own headers among it: half a minute of g++ that the tests need once."""
    return tmp_path_factory.mktemp("compiled")


def _cache(folder: Path, compiled: Path) -> Path:
    """A new cache of a run, but for what was compiled."""
    folder.mkdir()
    (folder / "compiled").symlink_to(compiled)
    return folder


def _run(body: dict[str, Any], out: Path, cache: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    out.mkdir()
    if cache is not None:
        (out / "cache").symlink_to(cache)
    (out / "asked.json").write_text(json.dumps(body))
    command = [sys.executable, "-m", "kd_engine", "run", str(out / "asked.json"), str(out), "--threads", "1"]
    env = os.environ | {"TMPDIR": str(out), "OMP_WAIT_POLICY": "PASSIVE"} | env
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def _course(out: Path) -> list[float]:
    with (out / "metrics.csv").open() as file:
        return [float(row["train_loss"]) for row in csv.DictReader(file) if row["phase"] == "student"]


def _compile_seconds(out: Path) -> float | None:
    seconds: float | None = json.loads((out / "environment.json").read_text()).get("compile_seconds")
    return seconds


def _hit_rate(out: Path) -> float:
    rate: float = json.loads((out / "report.json").read_text())["teacher_cache"]["0"]["hit_rate"]
    return rate


def test_a_teachers_name_does_not_depend_on_it() -> None:
    """A key that a teacher's own training cannot have does not send the teachers of earlier runs away."""
    spec = JobSpec.model_validate(COMPILED).resolved()
    recipe = spec.teacher.training
    assert recipe is not None
    other = spec.teacher.model_copy(update={"training": recipe.model_copy(update={"compile": True})})
    assert teacher_hash(other, spec.dataset, "data") == teacher_hash(spec.teacher, spec.dataset, "data")
    longer = spec.teacher.model_copy(update={"training": recipe.model_copy(update={"epochs": 3})})
    assert teacher_hash(longer, spec.dataset, "data") != teacher_hash(spec.teacher, spec.dataset, "data")


@needs_compiler
@pytest.mark.slow
def test_it_teaches_the_same_and_tells_its_cost(compiled: Path, tmp_path: Path) -> None:
    """With feature maps, a short last batch, and two repeats, so that the same code is compiled twice."""
    body = COMPILED | {"student": "mnist_cnn", "losses": ["kl", {"kind": "sp", "weight": 10}], "repeats": 2}
    done = _run(body, tmp_path / "compiled", _cache(tmp_path / "cache", compiled))
    assert done.returncode == 0, done.stderr
    assert "recompile" not in done.stderr
    assert run_spec(body | {"training": RECIPE}, tmp_path / "plain").reason == "completed"
    found, plain = _course(tmp_path / "compiled"), _course(tmp_path / "plain")
    assert len(found) == 4
    assert found == pytest.approx(plain, rel=1e-4)
    seconds = _compile_seconds(tmp_path / "compiled")
    assert seconds is not None
    assert seconds > 0
    assert _compile_seconds(tmp_path / "plain") is None
    assert any(compiled.iterdir())


@needs_compiler
@pytest.mark.slow
def test_the_cache_of_logits_computes_with_it_and_keeps_its_rows_apart(compiled: Path, tmp_path: Path) -> None:
    body = COMPILED | {"losses": ["kl"], "teacher_cache": "float32"}
    shared = _cache(tmp_path / "shared", compiled)
    assert run_spec(body | {"training": RECIPE}, tmp_path / "plain", cache_dir=shared).reason == "completed"
    for name in ("first", "second"):
        done = _run(body, tmp_path / name, cache=shared)
        assert done.returncode == 0, done.stderr
    first, second = _course(tmp_path / "first"), _course(tmp_path / "second")
    assert first == second == pytest.approx(_course(tmp_path / "plain"), rel=1e-4)
    assert [_hit_rate(tmp_path / name) for name in ("first", "second")] == [_hit_rate(tmp_path / "plain"), 1]
    assert _compile_seconds(tmp_path / "second") == 0  # nothing was left to compute


@pytest.mark.slow
def test_without_a_compiler_it_says_what_is_missing(tmp_path: Path) -> None:
    done = _run(COMPILED | {"losses": ["kl"], "teacher_cache": "off"}, tmp_path / "out", CXX="/nowhere/g++")
    assert done.returncode == 1
    assert "invalid_spec: training.compile is true, but this machine could not compile the teacher" in done.stderr
    assert "C++ compiler" in done.stderr
