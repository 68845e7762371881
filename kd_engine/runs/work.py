"""What one process of a run does: it reads the data and takes the job through its phases to the report."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable

import torch

from kd_engine.distributed.joined import joined
from kd_engine.distributed.world import ProcessInfo, World
from kd_engine.jobspec import KINDS, AnySpec
from kd_engine.platform.device import choose_device, set_up
from kd_engine.platform.heartbeat import signs_to
from kd_engine.platform.out_of_memory import shortage_behind
from kd_engine.runs.context import RunContext
from kd_engine.runs.resume import checkpoint_of
from kd_engine.schema.errors import DiskFullError, EngineError, InvalidSpecError, OutOfMemoryError
from kd_engine.schema.events import Event, Finished, RunStarted
from kd_engine.schema.importing import load_object
from kd_engine.schema.run_request import RunOptions

log = logging.getLogger(__name__)


def work(
    spec: AnySpec,
    options: RunOptions,
    process: ProcessInfo,
    *,
    emit: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Finished:
    """The part of a run that is done in this process: all of it, or one of several seats.

    The first process writes the files, is the one whose `emit` counts and whose `should_stop` is asked. Signs of life
    are told by every process: while one of them reads its data, the others may be waiting for it.
    """

    def tell(event: Event) -> None:
        if process.rank == 0:
            emit(event)

    def run_all() -> Finished:
        return Finished(
            reason="completed", artifacts=_run(_on_all_devices(spec, process), options, process, tell, should_stop)
        )

    with signs_to(emit):
        return guarded(run_all)


def _on_all_devices(spec: AnySpec, process: ProcessInfo) -> AnySpec:
    """The resolved spec, with as many devices as there are processes."""
    spec = spec.resolved()
    if spec.resources.devices not in (1, process.size):
        raise InvalidSpecError(
            f"resources.devices is {spec.resources.devices}, but torchrun started {process.size} processes; start as "
            "many, or leave 'devices' out."
        )
    if process.size > 1 and not KINDS[spec.kind].several_devices:
        raise InvalidSpecError("only a distillation takes several devices; run this without torchrun.")
    if process.size == spec.resources.devices:
        return spec
    return spec.model_copy(update={"resources": spec.resources.model_copy(update={"devices": process.size})})


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
    process: ProcessInfo,
    emit: Callable[[Event], None],
    should_stop: Callable[[], bool],
) -> tuple[str, ...]:
    device = choose_device(requested_device(spec, options), process.size, process.rank)
    threads = set_up(device, options.threads, process.size)
    with joined(process, device) as world:
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
    checkpoint = checkpoint_of(spec, options)
    emit(RunStarted(device=device.type, threads=threads, resumed=checkpoint is not None))
    context = RunContext(options, device, threads, world, emit, should_stop, checkpoint)
    artifacts: tuple[str, ...] = load_object(KINDS[spec.kind].run)(spec, context)
    return artifacts
