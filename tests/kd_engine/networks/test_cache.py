"""Networks trained from labels alone are trained once: teachers, and the students alone that a sweep compares with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kd_engine.jobspec import JobSpec, alone_hash
from tests.kd_engine.small_runs import DIGITS, run_spec


def _rows(out: Path) -> dict[str, dict[str, Any]]:
    return {row["phase"]: row for row in json.loads((out / "report.json").read_text())["rows"]}


def test_a_sweep_trains_its_teacher_and_its_control_once(tmp_path: Path) -> None:
    shared = tmp_path / "cache"
    for temperature in (3, 8):
        out = tmp_path / str(temperature)
        assert run_spec(DIGITS | {"temperature": temperature}, out, cache_dir=shared).reason == "completed"
    alone = run_spec(DIGITS | {"temperature": 8}, tmp_path / "apart")
    assert alone.reason == "completed"

    first, second, apart = (_rows(tmp_path / name) for name in ("3", "8", "apart"))
    assert [first[phase]["source"] for phase in ("teacher", "baseline", "student")] == ["trained"] * 3
    assert [second[phase]["source"] for phase in ("teacher", "baseline", "student")] == ["cache", "cache", "trained"]
    for phase in ("teacher", "baseline", "student"):
        network = f"{phase}.safetensors"
        assert (tmp_path / "8" / network).read_bytes() == (tmp_path / "apart" / network).read_bytes()
        assert second[phase]["runs"][0] | {"source": "trained"} == apart[phase]["runs"][0]


def test_a_damaged_entry_is_trained_again(tmp_path: Path) -> None:
    assert run_spec(DIGITS, tmp_path).reason == "completed"
    networks = sorted((tmp_path / "cache").glob("*/*.safetensors"))
    assert [path.parent.name for path in networks] == ["students-alone", "teachers"]
    before = (tmp_path / "baseline.safetensors").read_bytes()
    networks[0].write_bytes(b"not a network")
    networks[1].with_suffix(".json").write_text("[]")
    assert run_spec(DIGITS, tmp_path).reason == "completed"
    assert _rows(tmp_path)["baseline"]["source"] == _rows(tmp_path)["teacher"]["source"] == "trained"
    assert (tmp_path / "baseline.safetensors").read_bytes() == before


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"temperature": 20, "alpha": 0.1}, True),
        ({"temperature": None, "losses": ["logits"]}, True),
        ({"teacher": {"model": "mlp"}}, True),
        ({"repeats": 5}, True),
        ({"training": DIGITS["training"] | {"compile": True}}, True),
        ({"seed": 1}, False),
        ({"student": "mlp"}, False),
        ({"training": {"epochs": 3, "batch_size": 256}}, False),
        ({"dataset": {"name": "digits", "validation": 100}}, False),
    ],
    ids=str,
)
def test_the_hash_of_a_student_alone(changes: dict[str, Any], same: bool) -> None:
    def key(body: dict[str, Any]) -> str:
        spec = JobSpec.model_validate({k: v for k, v in body.items() if v is not None}).resolved()
        return alone_hash(spec.student, spec.training, spec.seed, spec.dataset, "d" * 64)

    assert (key(DIGITS | changes) == key(DIGITS)) is same


def test_the_hash_of_a_student_alone_changes_with_the_data_and_its_first_weights() -> None:
    spec = JobSpec.model_validate(DIGITS).resolved()
    given = (spec.student, spec.training, spec.seed, spec.dataset)
    assert len({alone_hash(*given, "d"), alone_hash(*given, "e"), alone_hash(*given, "d", "w")}) == 3
