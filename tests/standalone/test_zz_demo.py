"""The demo, from nothing to a student on disk. Last of its folder: it takes the longest."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.standalone.helpers import ROOT


@pytest.mark.service
@pytest.mark.slow
@pytest.mark.timeout(300)  # 15 s on two idle cores
def test_the_demo_ends_with_a_student_that_scores_what_its_report_says(tmp_path: Path) -> None:
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    # Variables of a real service must not reach the demo.
    env = os.environ | {"TMPDIR": str(temporary), "KD_HOME": str(tmp_path / "not-here"), "KD_PORT": "not a port"}
    done = subprocess.run(
        [sys.executable, "-m", "standalone", "demo", "--output", str(tmp_path / "demo-output")],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=280, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    for phase in ("teacher", "student alone", "distilled"):
        assert re.search(rf"^  {phase} +epoch +\d+/\d+ +validation accuracy +[\d.]+ %", done.stdout, re.MULTILINE)
        assert re.search(rf"^{phase} .* [\d.]+ to [\d.]+ %$", done.stdout, re.MULTILINE)
    assert "verdict: helped. " in done.stdout
    scores = re.search(r"test accuracy ([\d.]+) %; the report says ([\d.]+) %", done.stdout)
    assert scores is not None
    assert scores[1] == scores[2]
    assert float(scores[1]) > 75
    assert "equal, as they must be" in done.stdout
    assert [path.name for path in (tmp_path / "demo-output").iterdir()] == ["student.safetensors"]
    assert list(temporary.glob("distillery*")) == []
    assert not (tmp_path / "not-here").exists()


@pytest.mark.parametrize("name", ["digits", "digits-linear", "mnist-softmax-t2", "mnist-softmax-t5"])
def test_the_examples_are_valid_jobs(name: str) -> None:
    from kd_engine.jobspec import JobSpec

    spec = JobSpec.model_validate(json.loads((ROOT / "examples" / f"{name}.json").read_text()))
    assert spec.baseline
