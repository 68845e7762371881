"""What must be true of a process that has imported nothing yet."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from kd_engine.losses import LOSSES

ROOT = Path(__file__).parents[2]

MADE_UP_LOSS = '''
"""A loss that exists only in this test."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kd_engine.losses.base import Loss


class Hamming(Loss):
    """The share of images whose classes differ."""

    kind: Literal["hamming"] = "hamming"
    sharpness: float = Field(2.0, gt=0, le=50)
'''


def run_python(code: str, folder: Path) -> Any:
    """What `code` printed as JSON, run by a fresh interpreter in `folder`."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", dedent(code)], cwd=folder, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "module", ["jobspec", "schema.events", "catalog", "schema.errors", "losses", "jobspec.problems", "data"]
)
def test_importing_what_the_api_needs_does_not_import_torch(module: str) -> None:
    loaded = run_python(f"import json, sys, kd_engine.{module}; print(json.dumps(sorted(sys.modules)))", ROOT)

    assert f"kd_engine.{module}" in loaded
    assert "torch" not in loaded


def test_using_a_spec_does_not_import_torch() -> None:
    loaded = run_python(
        """
        import json, sys
        from kd_engine.catalog import catalog
        from kd_engine.jobspec import JobSpec
        catalog()
        JobSpec.model_validate({"dataset": "mnist", "teacher": "mnist_cnn", "student": "mlp"}).resolved().to_json()
        JobSpec.model_json_schema()
        print(json.dumps(sorted(sys.modules)))
        """,
        ROOT,
    )

    assert "torch" not in loaded


def test_a_loss_dropped_into_the_folder_is_everywhere(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "kd_engine", tmp_path / "kd_engine", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "kd_engine" / "losses" / "hamming.py").write_text(MADE_UP_LOSS)

    found = run_python(
        """
        import json
        import kd_engine
        from kd_engine.catalog import catalog
        from kd_engine.losses import LOSSES
        from kd_engine.jobspec import JobSpec
        job = {"dataset": "mnist", "teacher": "mlp", "student": "mlp", "losses": [{"kind": "hamming", "sharpness": 3}]}
        print(json.dumps({
            "package": kd_engine.__file__,
            "losses": list(LOSSES),
            "schema": JobSpec.model_json_schema()["$defs"]["Hamming"]["properties"]["sharpness"],
            "catalog": [row for row in catalog()["losses"] if row["name"] == "hamming"],
            "spec": JobSpec.model_validate(job).resolved().to_json()["losses"],
        }))
        """,
        tmp_path,
    )

    assert found["package"].startswith(str(tmp_path))
    assert found["losses"] == sorted([*LOSSES, "hamming"])
    assert found["schema"]["exclusiveMinimum"] == 0
    assert found["schema"]["maximum"] == 50
    assert found["catalog"][0]["summary"] == "The share of images whose classes differ."
    assert found["catalog"][0]["schema"]["properties"]["sharpness"]["default"] == 2.0
    assert found["spec"] == [{"kind": "hamming", "weight": 1.0, "warmup_epochs": 0.0, "sharpness": 3.0}]
