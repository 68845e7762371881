"""A job of kind `distill`: teacher, student alone and distilled student, and the report that compares them."""

from __future__ import annotations

import json

from kd_engine.jobspec import JobSpec, warnings_of
from kd_engine.platform.files import write_atomically
from kd_engine.results.provenance import describe
from kd_engine.runs.context import RunContext
from kd_engine.runs.memory_check import check_memory
from kd_engine.runs.plan import plan_of
from kd_engine.runs.plan_runner import PlanRunner
from kd_engine.runs.preflight import preflight
from kd_engine.runs.resume import check_resumable
from kd_engine.schema.events import Warned


def run_distillation(spec: JobSpec, context: RunContext) -> tuple[str, ...]:
    """Trains what the spec plans and writes the report; returns the names of the artifacts.

    Raises:
        EngineError: something does not fit the data, the memory or the checkpoint, or the training failed.
        Interrupted: asked to stop; a checkpoint was written.
    """
    options, device, world = context.options, context.device, context.world
    data = context.load(spec.dataset)
    assert data.facts is not None, "data that was loaded is known"
    spec = spec.settled(data.facts)
    if context.checkpoint is not None:
        check_resumable(context.checkpoint, spec, data)
    if world.is_main:
        write_atomically(options.out_dir / "spec.json", json.dumps(spec.to_json(), indent=2) + "\n")
    check_memory(spec, data, device, world.size, options.memory)
    given = options.inputs.get("teacher")
    warnings = (*warnings_of(spec, data.facts), *data.warnings, *preflight(spec, data, world, device, given))
    if warnings:
        context.emit(Warned(warnings=warnings))
    runner = PlanRunner(spec, plan_of(spec), data, context)
    if context.checkpoint is not None:
        runner.restore(context.checkpoint)
    results = runner.run()
    if not world.is_main:
        return ()
    environment = describe(
        device, context.threads, processes=world.size, seed=spec.seed, data_sha256=data.sha256,
        precision={result.phase: str(result.network.dtype).removeprefix("torch.") for result in results},
    )  # fmt: skip
    if runner.nodes.compiler is not None:
        environment["compile_seconds"] = round(runner.nodes.compiler.seconds, 3)
    write_atomically(options.out_dir / "environment.json", json.dumps(environment, indent=2) + "\n")
    from kd_engine.results.seed_spread import SeedSpreads
    from kd_engine.results.writer import write_results  # only now: what draws the curves takes half a second to import

    spreads = SeedSpreads(options.cache_dir / "seed-spreads")
    return write_results(
        spec, data, results, options.out_dir, runner.nodes.cache_stats, spreads, warnings, options.names
    )
