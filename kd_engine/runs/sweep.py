"""A job of kind `sweep`: many students of one question, and the report that compares them with their controls."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import warnings_of
from kd_engine.jobspec.sweep import SweepSpec, Trial
from kd_engine.platform.files import write_atomically
from kd_engine.results.provenance import describe
from kd_engine.runs.context import RunContext
from kd_engine.runs.memory_check import check_memory, students_together
from kd_engine.runs.preflight import preflight
from kd_engine.runs.resume import check_resumable
from kd_engine.runs.sweep_runner import SweepRunner, trials_sha256
from kd_engine.schema.errors import DataError, EngineError
from kd_engine.schema.events import Warned
from kd_engine.schema.warnings import SpecWarning


def run_sweep(spec: SweepSpec, context: RunContext) -> tuple[str, ...]:
    """Trains all trials and writes the report; returns the names of the artifacts.

    Raises:
        EngineError: something does not fit the data, the memory or the checkpoint, or no trial has a student.
        Interrupted: asked to stop; a checkpoint was written.
    """
    options, device = context.options, context.device
    data = context.load(spec.dataset)
    assert data.facts is not None, "data that was loaded is known"
    trials = spec.settled(data.facts)
    if context.checkpoint is not None:
        check_resumable(context.checkpoint, spec, data)
        if context.checkpoint["trials_sha256"] != trials_sha256(trials):
            raise DataError("this version makes other trials of the sweep than the checkpoint has; start without it.")
    write_atomically(options.out_dir / "spec.json", json.dumps(spec.to_json(), indent=2) + "\n")
    warnings = _looked_at(trials, data, context)
    if warnings:
        context.emit(Warned(warnings=warnings))
    most = students_together([trial.spec for trial in trials], data, device, options.memory)
    runner = SweepRunner(spec, trials, data, context, most)
    if context.checkpoint is not None:
        runner.restore(context.checkpoint)
    outcomes = runner.run()
    environment = describe(
        device, context.threads, processes=1, seed=trials[0].spec.seed, data_sha256=data.sha256,
        precision={
            result.phase: str(result.network.dtype).removeprefix("torch.")
            for outcome in outcomes
            for result in outcome.results
        },
    )  # fmt: skip
    write_atomically(options.out_dir / "environment.json", json.dumps(environment, indent=2) + "\n")
    from kd_engine.results.sweep_writer import publish_sweep  # only now: what draws takes half a second to import

    return publish_sweep(spec, data, outcomes, options.out_dir, warnings, options.names)


def _looked_at(trials: Sequence[Trial], data: Dataset, context: RunContext) -> tuple[SpecWarning, ...]:
    """What is to be said of the trials' specs, each thing once.

    Raises:
        EngineError: a trial cannot be run; the message has its combination.
    """
    told: dict[SpecWarning, list[int]] = {warning: [] for warning in data.warnings}
    fits: set[str] = set()
    for trial in trials:
        try:
            needs = trial.spec.model_dump_json(include={"student", "training"})
            if needs not in fits:
                check_memory(trial.spec, data, context.device, allowed=context.options.memory)
                fits.add(needs)
            for warning in _of_spec(trial, data, context):
                told.setdefault(warning, []).append(trial.number)
        except EngineError as error:
            raise type(error)(f"trial {trial.number}: {error}") from error
    return tuple(
        warning
        if not numbers or len(numbers) == len(trials)
        else warning.model_copy(
            update={"message": f"Trial{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}: {warning.message}"}
        )
        for warning, numbers in told.items()
    )


def _of_spec(trial: Trial, data: Dataset, context: RunContext) -> Iterator[SpecWarning]:
    found = (*warnings_of(trial.spec, data.facts), *preflight(trial.spec, data, context.world, context.device))
    for warning in found:
        yield warning.model_copy(update={"pointer": f"/base{warning.pointer}"})
