"""Writes the artifacts of a sweep: the chosen student as a job's, and what compares the trials."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec.sweep import SweepSpec
from kd_engine.platform.files import write_atomically
from kd_engine.results.model_card import model_card
from kd_engine.results.sweep_pictures import draw_gain, draw_heat_map
from kd_engine.results.sweep_report import TrialOutcome, by_validation, make_sweep_report
from kd_engine.results.writer import publish_networks, save_result
from kd_engine.schema.report import report_text
from kd_engine.schema.sweep_report import SweepReport, TrialRow
from kd_engine.schema.warnings import SpecWarning

MOST_BYTES = 2 * 2**30  # of all trials' networks: those that do best on validation are kept
_PICTURES = {"gain.png": draw_gain, "heat_map.png": draw_heat_map}


def publish_sweep(
    spec: SweepSpec,
    data: Dataset,
    outcomes: Sequence[TrialOutcome],
    out_dir: Path,
    warnings: Sequence[SpecWarning],
    sent: Mapping[str, Mapping[str, str]],
) -> tuple[str, ...]:
    """Writes everything; returns the names of all artifacts of the run.

    Args:
        outcomes: of all trials, by number.
        warnings, sent: as for `writer.publish`.
    """
    ranked = by_validation(outcomes)
    chosen, named = ranked[0], ranked[0].trial.spec.model_copy(update={"name": spec.name})
    published, names = publish_networks(named, data, chosen.results, out_dir, warnings, sent)
    kept = _keep_networks(ranked, data, out_dir)
    files = {number: written[0] for number, written in kept.items()}
    report = make_sweep_report(outcomes, published, files, spec.paths)
    card = published.changed(verdict=report.verdict, summary=report.summary)
    write_atomically(out_dir / "MODEL_CARD.md", model_card(named, data, card))
    write_atomically(out_dir / "sweep.csv", sweep_csv(report))
    pictures = {name: drawn for name, draw in _PICTURES.items() if (drawn := draw(report)) is not None}
    for name, drawn in pictures.items():
        write_atomically(out_dir / name, drawn)
    write_atomically(out_dir / "report.json", report_text(report))
    trials = [name for written in kept.values() for name in written]
    return (*names, *trials, "MODEL_CARD.md", "sweep.csv", *pictures, "report.json")


def _keep_networks(ranked: Sequence[TrialOutcome], data: Dataset, out_dir: Path) -> dict[int, list[str]]:
    """Each trial's student with its spec, as a job of its own would have them: the files by number."""
    kept: dict[int, list[str]] = {}
    left = MOST_BYTES
    for outcome in ranked:
        best = outcome.best
        networks = [best.network, *best.snapshots.values()]
        left -= sum(tensor.nbytes for network in networks for tensor in network.module.state_dict().values())
        if left < 0:
            break
        trial = outcome.trial
        folder = out_dir / "trials" / f"{trial.number:03}"
        folder.mkdir(parents=True, exist_ok=True)
        files = save_result(best, trial.spec, data, folder)
        write_atomically(folder / "spec.json", json.dumps(trial.spec.to_json(), indent=2) + "\n")
        kept[trial.number] = [str((folder / name).relative_to(out_dir)) for name in (*files, "spec.json")]
    return dict(sorted(kept.items()))


def sweep_csv(report: SweepReport) -> str:
    """A line a trial; empty cells where there is nothing."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([
        "trial", *report.paths, "state", "model", "parameters", f"validation_{report.metrics[0].name}",
        report.main, f"{report.main}_low", f"{report.main}_high", "difference", "difference_low", "difference_high",
        "p_value", "corrected_p_value", "verdict",
    ])  # fmt: skip
    for row in report.trials:
        writer.writerow(["" if cell is None else cell for cell in _cells(row, report)])
    return text.getvalue()


def _cells(row: TrialRow, report: SweepReport) -> list[Any]:
    values = [row.values.get(path) for path in report.paths]
    written = [json.dumps(value) if isinstance(value, dict | list) else value for value in values]
    cells: list[Any] = [row.number, *written, row.state, row.model, row.parameters, row.validation]
    for estimate in (row.scores.get(report.main), row.difference):
        low, high = (None, None) if estimate is None or estimate.interval is None else estimate.interval
        cells += [None if estimate is None else estimate.mean, low, high]
    return [*cells, row.p_value, row.corrected_p_value, row.verdict]
