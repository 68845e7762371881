"""Result writer: puts a finished run's artifacts into its folder and names them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import JobSpec, RepeatsUntil, canonical_hash, network_file
from kd_engine.networks.cost import cost_of
from kd_engine.networks.network import save_network
from kd_engine.platform.files import write_atomically
from kd_engine.results.advice import advice
from kd_engine.results.curves import draw_curves, write_csv, write_tensorboard
from kd_engine.results.model_card import model_card
from kd_engine.results.report import make_report, published, task_of
from kd_engine.results.result import PhaseResult
from kd_engine.results.seed_spread import SeedSpreads
from kd_engine.schema.phases import BASELINE, NETWORKS, STUDENT, TEACHER, TrainedPhase
from kd_engine.schema.report import Exported, LogitCache, TrainingReport, report_text
from kd_engine.schema.warnings import SpecWarning

_WEIGHTS: dict[TrainedPhase, str] = {phase: network_file(phase) for phase in (STUDENT, TEACHER, BASELINE)}
_NOT_OF_THE_TRAINING = {"name", "labels", "priority", "keep_days", "webhooks", "resources", "export"}


def write_results(
    spec: JobSpec,
    data: Dataset,
    results: list[PhaseResult],
    out_dir: Path,
    cache: dict[str, LogitCache],
    spreads: SeedSpreads,
    warnings: Sequence[SpecWarning] = (),
    sent: Mapping[str, Mapping[str, str]] = MappingProxyType({}),
) -> tuple[str, ...]:
    """Writes weights, report, metrics, curves and logs; returns the names of all artifacts of the run.

    Args:
        cache: for each repeat that used it, what the cache of the teacher's logits was asked and had.
        spreads: how far seeds lie apart, in jobs like this one.
        warnings: what was said of the spec before anything was trained.
        sent: the names of what was sent, as `RunOptions.names`.
    """
    report, names = publish_networks(spec, data, results, out_dir, warnings, sent)
    explanations, next_spec = advice(spec, report, results, spreads, data.sha256)
    report = report.changed(teacher_cache=cache, explanations=explanations, next_spec=next_spec)
    write_atomically(out_dir / "MODEL_CARD.md", model_card(spec, data, report))
    write_atomically(out_dir / "report.json", report_text(report))
    return (*names, "MODEL_CARD.md", "report.json")


def publish_networks(
    spec: JobSpec,
    data: Dataset,
    results: list[PhaseResult],
    out_dir: Path,
    warnings: Sequence[SpecWarning],
    sent: Mapping[str, Mapping[str, str]],
) -> tuple[TrainingReport, list[str]]:
    """Writes what is published of the networks: weights, exports, metrics, curves and logs.

    Args:
        warnings, sent: as for `publish`.

    Returns:
        The report, without what is made of it, and the names of the artifacts so far.
    """
    repeat = _best_repeat(results)
    chosen = {phase: published(results, phase, repeat) for phase in _WEIGHTS if _has(results, phase)}
    names = ["spec.json", "environment.json"]
    for result in chosen.values():
        names += save_result(result, spec, data, out_dir)
    dataset = sent.get("dataset", {}).get("name", spec.dataset_name)
    title = spec.name or f"{spec.student.model} on {dataset}"
    write_csv(results, out_dir / "metrics.csv")
    draw_curves(results, out_dir / "curves.png", title)
    logs = write_tensorboard(results, out_dir / "tensorboard")
    names += ["metrics.csv", "curves.png", *(str(log.relative_to(out_dir)) for log in logs)]
    about = f"{NETWORKS[STUDENT]}: {title}"
    for name, draw in task_of(results).figures(chosen[STUDENT].scores, data.classes, about):
        write_atomically(out_dir / name, draw())
        names.append(name)
    # last of all, when nothing else wants the cores
    costs = {
        phase: cost_of(result.network, data.test.images_NCHW, (out_dir / _WEIGHTS[phase]).stat().st_size)
        for phase, result in chosen.items()
    }
    until = spec.repeats if isinstance(spec.repeats, RepeatsUntil) else None
    report = make_report(results, data.classes, repeat, costs, until)
    exported, files = _export(spec, data, chosen[STUDENT], out_dir)
    report = report.changed(warnings=tuple(warnings), names=dict(sent), duplicates=data.duplicates, export=exported)
    return report, [*names, *files]


def save_result(result: PhaseResult, spec: JobSpec, data: Dataset, folder: Path) -> list[str]:
    """Writes a network and its snapshots into a folder; the files' names."""
    provenance = _provenance(spec, data, result)
    names = [network_file(result.phase)]
    save_network(result.network, folder / names[0], provenance)
    for epoch, network in result.snapshots.items():
        names.append(network_file(result.phase, epoch))
        save_network(network, folder / names[-1], provenance | {"epoch": epoch})
    return names


def _export(spec: JobSpec, data: Dataset, student: PhaseResult, out_dir: Path) -> tuple[dict[str, Exported], list[str]]:
    """Writes the student as the spec asks; what the report says of that, and the files' names."""
    if not spec.export:
        return {}, []
    from kd_engine.exporters.run import run_exporters  # only now: exporters take a second to import

    return run_exporters(student.network, student.scores, data, spec.export, out_dir)


def _has(results: list[PhaseResult], phase: TrainedPhase) -> bool:
    return any(result.phase == phase for result in results)


def _best_repeat(results: list[PhaseResult]) -> int:
    """The repeat whose distilled student does best on the validation split; the first of equals."""
    students = [result for result in results if result.phase == STUDENT]
    return max(students, key=lambda result: task_of(results).rank(result.metrics)).repeat


def _provenance(spec: JobSpec, data: Dataset, result: PhaseResult) -> dict[str, Any]:
    """Where a network comes from. Nothing here depends on when, where or under what name: equal runs, equal files."""
    asked = {key: value for key, value in spec.to_json().items() if key not in _NOT_OF_THE_TRAINING}
    return {
        "phase": result.phase,
        "seed": result.seed,
        "repeat": result.repeat,
        "spec_sha256": canonical_hash(asked),
        "data_sha256": data.sha256,
        "dataset": spec.dataset.name,
        "metrics": result.metrics,
    }
