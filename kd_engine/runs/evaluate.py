"""A job of kind `evaluate`: measures one network and writes what it found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from kd_engine.evaluation.evaluate_file import evaluate_file, publish_evaluation
from kd_engine.jobspec import EvaluateSpec
from kd_engine.platform.files import write_atomically
from kd_engine.results.provenance import describe
from kd_engine.runs.context import RunContext
from kd_engine.runs.item_progress import ImageProgress
from kd_engine.schema.errors import InvalidSpecError
from kd_engine.schema.events import PhaseEnded, PhaseStarted


def run_evaluation(spec: EvaluateSpec, context: RunContext) -> tuple[str, ...]:
    """Measures the file of the spec's `model`; returns the names of the artifacts.

    Raises:
        DataError, InvalidSpecError: the file is not a network, or one that does not fit the data.
        Interrupted: asked to stop. Nothing is kept: the next attempt starts from the beginning.
    """
    options, device, emit = context.options, context.device, context.emit
    data = context.load(spec.dataset)
    images = len(data.test)
    progress = ImageProgress(spec.kind, emit, context.should_stop)
    write_atomically(options.out_dir / "spec.json", json.dumps(spec.to_json(), indent=2) + "\n")
    emit(PhaseStarted(phase=spec.kind, repeat=0, epochs=0))
    progress(0, images)
    found = evaluate_file(
        _given(options.inputs.get("model")), options.called("dataset", spec.dataset_name), data, device,
        teacher_file=options.inputs.get("teacher"), after_batch=lambda done: progress(done, images),
    )  # fmt: skip
    found = replace(found, report=found.report.changed(dataset=spec.dataset_name, names=dict(options.names)))
    emit(PhaseEnded(phase=spec.kind, repeat=0, source="given", metrics=found.metrics))
    environment = describe(
        device, context.threads, seed=None, data_sha256=data.sha256,
        precision={spec.kind: found.report.precision},
    )  # fmt: skip
    write_atomically(options.out_dir / "environment.json", json.dumps(environment, indent=2) + "\n")
    return "spec.json", "environment.json", *publish_evaluation(found, options.out_dir)


def _given(model_file: Path | None) -> Path:
    if model_file is None:
        raise InvalidSpecError("model.job names a network that only the service can look up; give its file instead.")
    return model_file
