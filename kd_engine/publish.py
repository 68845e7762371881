"""Writes a finished run's artifacts into its folder and names them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from kd_engine.curves import draw_curves, write_csv, write_tensorboard
from kd_engine.data.dataset import Dataset
from kd_engine.events import Phase
from kd_engine.files import write_atomically
from kd_engine.network import save_network
from kd_engine.report import make_report
from kd_engine.result import PhaseResult
from kd_engine.spec import JobSpec, canonical_hash

_WEIGHTS: dict[Phase, str] = {
    "student": "student.safetensors",
    "teacher": "teacher.safetensors",
    "baseline": "baseline.safetensors",
}


def publish(spec: JobSpec, data: Dataset, results: list[PhaseResult], out_dir: Path) -> tuple[str, ...]:
    """Writes weights, report, metrics, curves and logs; returns the names of all artifacts of the run."""
    chosen = _best_repeat(results)
    names = ["spec.json", "environment.json"]
    for phase, name in _WEIGHTS.items():
        result = _published(results, phase, chosen)
        if result is not None:
            save_network(result.network, out_dir / name, _provenance(spec, data, result))
            names.append(name)
    report = make_report(results, data.classes, chosen)
    write_atomically(out_dir / "report.json", json.dumps(report, indent=2) + "\n")
    write_csv(results, out_dir / "metrics.csv")
    draw_curves(results, out_dir / "curves.png", spec.name or f"{spec.student.model} on {spec.dataset.name}")
    logs = write_tensorboard(results, out_dir / "tensorboard")
    names += ["report.json", "metrics.csv", "curves.png", *(str(log.relative_to(out_dir)) for log in logs)]
    return tuple(names)


def _best_repeat(results: list[PhaseResult]) -> int:
    """The repeat whose distilled student does best on the validation split; the first of equals."""
    students = [result for result in results if result.phase == "student"]
    return max(students, key=lambda result: (result.metrics["val_accuracy"], -result.metrics["val_loss"])).repeat


def _published(results: list[PhaseResult], phase: Phase, repeat: int) -> PhaseResult | None:
    found = [result for result in results if result.phase == phase]
    return next((result for result in found if result.repeat == repeat), found[0] if found else None)


def _provenance(spec: JobSpec, data: Dataset, result: PhaseResult) -> dict[str, Any]:
    """Where a network comes from. Nothing here depends on when, where or under what name: equal runs, equal files."""
    asked = {key: value for key, value in spec.to_json().items() if key not in ("name", "labels")}
    return {
        "phase": result.phase,
        "seed": result.seed,
        "repeat": result.repeat,
        "spec_sha256": canonical_hash(asked),
        "data_sha256": data.sha256,
        "dataset": spec.dataset.name,
        "metrics": result.metrics,
    }
