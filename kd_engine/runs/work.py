"""What one process of a run does: it reads the data and takes the job through its phases to the report."""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable
from typing import Any

import torch

from kd_engine.data.dataset import Dataset, load
from kd_engine.distributed.joined import joined
from kd_engine.distributed.world import Seat, World
from kd_engine.jobspec import AnySpec, CheckSpec, EvaluateSpec, JobSpec, RegisterSpec, parse_spec, warnings_of
from kd_engine.platform.device import choose_device, set_up
from kd_engine.platform.files import write_atomically
from kd_engine.platform.heartbeat import signs_to
from kd_engine.platform.out_of_memory import shortage_behind
from kd_engine.results.provenance import describe
from kd_engine.runs.distill import Phases
from kd_engine.runs.memory_check import check_memory
from kd_engine.runs.preflight import preflight
from kd_engine.schema.errors import DataError, DiskFullError, EngineError, InvalidSpecError, OutOfMemoryError
from kd_engine.schema.events import Event, Finished, RunStarted, Warned
from kd_engine.schema.run_request import RunOptions
from kd_engine.training.checkpoint import load_tree

log = logging.getLogger(__name__)
# What a checkpoint's spec may have otherwise: it is not of the training.
_FREE = dict.fromkeys(("name", "labels", "priority", "keep_days", "webhooks", "export"))


def work(
    spec: AnySpec,
    options: RunOptions,
    seat: Seat,
    *,
    emit: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Finished:
    """The part of a run that is done in this process: all of it, or one of several seats.

    The first process writes the files, is the one whose `emit` counts and whose `should_stop` is asked. Signs of life
    are told by every process: while one of them reads its data, the others may be waiting for it.
    """

    def tell(event: Event) -> None:
        if seat.rank == 0:
            emit(event)

    def run_all() -> Finished:
        return Finished(reason="completed", artifacts=_run(_seated(spec, seat), options, seat, tell, should_stop))

    with signs_to(emit):
        return guarded(run_all)


def _checkpoint(spec: AnySpec, options: RunOptions) -> dict[str, Any] | None:
    """What to go on from; None where there is nothing, or where an earlier version computed otherwise.

    Half a training by one formula and half by another would be neither, so that such a job begins again.
    """
    if options.resume_from is None:
        return None
    tree = load_tree(options.resume_from)
    if isinstance(spec, JobSpec) and (written := tree.get("formulas", {})) != spec.formulas:
        differing = ", ".join(sorted(key for key, _ in written.items() ^ spec.formulas.items()))
        log.warning("the checkpoint is of a version that computes this otherwise: %s; beginning again.", differing)
        return None
    return tree


def _check_resumable(tree: dict[str, Any], spec: JobSpec, data: Dataset) -> None:
    """Raises where a checkpoint is of another training.

    Raises:
        DataError: of another spec, or of other images or labels.
    """
    if not _same_training(tree["spec"], spec):
        raise DataError("the checkpoint belongs to another spec, or to other data; start without it.")
    if tree.get("data_sha256", data.sha256) != data.sha256:  # checkpoints of earlier versions do not say it
        raise DataError(
            f"the checkpoint was written on other images or labels than those that '{spec.dataset_name}' has now; "
            "expected the same. Bring back the data as it was, or start without the checkpoint."
        )


def _same_training(written: dict[str, Any], spec: JobSpec) -> bool:
    """Whether a checkpoint's spec asks for the same; an earlier version may have written fewer of the defaults."""
    earlier = parse_spec(written).to_json()
    return {**earlier, **_FREE} == {**spec.to_json(), **_FREE}


def _seated(spec: AnySpec, seat: Seat) -> AnySpec:
    """The resolved spec, with as many devices as there are processes."""
    spec = spec.resolved()
    if spec.resources.devices not in (1, seat.size):
        raise InvalidSpecError(
            f"resources.devices is {spec.resources.devices}, but torchrun started {seat.size} processes; start as "
            "many, or leave 'devices' out."
        )
    if seat.size > 1 and not isinstance(spec, JobSpec):
        raise InvalidSpecError("an evaluation takes one device; run it without torchrun.")
    return spec.model_copy(update={"resources": spec.resources.model_copy(update={"devices": seat.size})})


def requested_device(spec: AnySpec, options: RunOptions) -> str:
    """`auto`, `cpu` or `cuda`: the spec's own wish comes before that of the run."""
    return options.device if spec.resources.device == "auto" else spec.resources.device


def guarded(do: Callable[[], Finished]) -> Finished:
    """What `do` returns; whatever it raises becomes the reason for which the job failed."""
    try:
        return do()
    except Exception as error:  # the last line of defence: whatever happened becomes the job's reason
        shortage = shortage_behind(error)
        if shortage is not None:
            log.exception("the run got no more memory")
            said = str(shortage).strip().partition("\n")[0]
            return Finished(reason=OutOfMemoryError.code, detail=f"{_FEWER} ({said})" if said else _FEWER)
        if isinstance(error, EngineError):
            return Finished(reason=error.code, detail=str(error))
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Finished(reason=DiskFullError.code, detail=f"no room on the disk for {error.filename}.")
        log.exception("the run failed")
        why = error.strerror if isinstance(error, OSError) else error
        return Finished(reason=EngineError.code, detail=f"{type(error).__name__}: {why}")


_FEWER = "the device has too little memory for this job; try a smaller batch_size, network or data set."


def _run(
    spec: AnySpec,
    options: RunOptions,
    seat: Seat,
    emit: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> tuple[str, ...]:
    device = choose_device(requested_device(spec, options), seat.size, seat.rank)
    threads = set_up(device, options.threads, seat.size)
    with joined(seat, device) as world:
        return _run_in(world, spec, device, threads, options, emit, should_stop)


def _run_in(
    world: World,
    spec: AnySpec,
    device: torch.device,
    threads: int,
    options: RunOptions,
    emit: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> tuple[str, ...]:
    resumed = _checkpoint(spec, options)
    emit(RunStarted(device=device.type, threads=threads, resumed=resumed is not None))
    if isinstance(spec, CheckSpec):
        from kd_engine.runs.check_dataset import run_check

        return run_check(spec, options, emit, should_stop)
    with world.first_goes_ahead():
        data = load(spec.dataset, options.data_dir, options.download, options.cache_dir, options.dataset_file).to(
            device
        )
    if isinstance(spec, EvaluateSpec):
        from kd_engine.runs.evaluate import run_evaluation

        return run_evaluation(spec, data, device, options, emit, should_stop)
    if isinstance(spec, RegisterSpec):
        from kd_engine.runs.register_model import run_register

        return run_register(spec, data, device, options, emit, should_stop)
    assert data.facts is not None, "data that was loaded is known"
    spec = spec.settled(data.facts)
    if resumed is not None:
        _check_resumable(resumed, spec, data)
    if world.first:
        write_atomically(options.out_dir / "spec.json", json.dumps(spec.to_json(), indent=2) + "\n")
    check_memory(spec, data, device, world.size, options.memory)
    given = next(iter(options.teacher_files), None) if spec.teacher.job is not None else None
    warnings = (*warnings_of(spec, data.facts), *data.warnings, *preflight(spec, data, world, device, given))
    if warnings:
        emit(Warned(warnings=warnings))
    phases = Phases(spec, data, device, options, emit, should_stop, world)
    if resumed is not None:
        phases.restore(resumed)
    results = phases.run_all()
    if not world.first:
        return ()
    environment = describe(
        device, threads, processes=world.size, seed=spec.seed, data_sha256=data.sha256,
        precision={result.phase: str(result.network.dtype).removeprefix("torch.") for result in results},
    )  # fmt: skip
    if phases.compiler is not None:
        environment["compile_seconds"] = round(phases.compiler.seconds, 3)
    write_atomically(options.out_dir / "environment.json", json.dumps(environment, indent=2) + "\n")
    from kd_engine.results.seed_spread import SeedSpreads
    from kd_engine.results.writer import publish  # only now: what draws the curves takes half a second to import

    spreads = SeedSpreads(options.cache_dir / "seed-spreads")
    return publish(spec, data, results, options.out_dir, phases.cache_stats, spreads, warnings, options.names)
