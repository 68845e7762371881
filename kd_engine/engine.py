"""Runs a job: data, teacher, student alone, distilled student, report; or data and an evaluation.

The one entry for the service and the command.

`run` never raises for what a user, a disk or a device did: it ends with a `Finished` event that says what happened.
"""

from __future__ import annotations

import errno
import json
import logging
from collections.abc import Callable

import torch

from kd_engine.checkpoint import load_tree
from kd_engine.data.dataset import load
from kd_engine.device import choose_device, set_up
from kd_engine.environment import describe
from kd_engine.errors import DataError, DiskFullError, EngineError, OutOfMemoryError
from kd_engine.events import Event, Finished, RunStarted
from kd_engine.files import write_atomically
from kd_engine.options import RunOptions
from kd_engine.phases import Phases
from kd_engine.spec import AnySpec, EvaluateSpec

log = logging.getLogger(__name__)
EVENTS_FILE = "events.jsonl"


def run(
    spec: AnySpec,
    options: RunOptions,
    *,
    emit: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Finished:
    """Trains (or evaluates) what `spec` asks for and writes the artifacts into `options.out_dir`.

    Args:
        emit: hears every event; they are also appended to `events.jsonl`.
        should_stop: asked after each step; once true, a checkpoint is written and the run ends `interrupted`.

    Returns:
        The last event: `completed` with the names of the artifacts, or why not.
    """
    options.out_dir.mkdir(parents=True, exist_ok=True)
    with (options.out_dir / EVENTS_FILE).open("a", buffering=1) as lines:

        def tell(event: Event) -> None:
            lines.write(event.model_dump_json() + "\n")
            emit(event)

        finished = _guarded(spec, options, tell, should_stop)
        tell(finished)
    return finished


def _guarded(
    spec: AnySpec, options: RunOptions, emit: Callable[[Event], None], should_stop: Callable[[], bool]
) -> Finished:
    try:
        return Finished(reason="completed", artifacts=_run(spec.resolved(), options, emit, should_stop))
    except EngineError as error:
        return Finished(reason=error.code, detail=str(error))
    except torch.OutOfMemoryError as error:
        return Finished(reason=OutOfMemoryError.code, detail=f"{_FEWER} ({error})")
    except MemoryError:
        return Finished(reason=OutOfMemoryError.code, detail=_FEWER)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            return Finished(reason=DiskFullError.code, detail=f"no room on the disk for {error.filename}.")
        log.exception("the run failed")
        return Finished(reason=EngineError.code, detail=f"{type(error).__name__}: {error.strerror}")
    except Exception as error:  # the last line of defence: whatever happened becomes the job's reason
        if "can't allocate memory" in str(error):  # torch's CPU allocator raises a plain RuntimeError
            return Finished(reason=OutOfMemoryError.code, detail=_FEWER)
        log.exception("the run failed")
        return Finished(reason=EngineError.code, detail=f"{type(error).__name__}: {error}")


_FEWER = "the device has too little memory for this job; try a smaller batch_size or network."


def _run(
    spec: AnySpec, options: RunOptions, emit: Callable[[Event], None], should_stop: Callable[[], bool]
) -> tuple[str, ...]:
    asked = spec.resources.device
    device = choose_device(options.device if asked == "auto" else asked)
    threads = set_up(device, options.threads)
    resumed = None if options.resume_from is None else load_tree(options.resume_from)
    emit(RunStarted(device=device.type, threads=threads, resumed=resumed is not None))
    data = load(spec.dataset, options.data_dir, options.download, options.cache_dir).to(device)
    if isinstance(spec, EvaluateSpec):
        from kd_engine.evaluation.job import run_evaluation

        return run_evaluation(spec, data, device, options, emit, should_stop)
    assert data.facts is not None, "data that was loaded is known"
    spec = spec.settled(data.facts)
    if resumed is not None and resumed["spec"] != spec.to_json():
        raise DataError("the checkpoint belongs to another spec, or to other data; start without it.")
    write_atomically(options.out_dir / "spec.json", json.dumps(spec.to_json(), indent=2) + "\n")
    phases = Phases(spec, data, device, options, emit, should_stop)
    if resumed is not None:
        phases.restore(resumed)
    results = phases.run_all()
    environment = describe(
        device, threads, seed=spec.seed, data_sha256=data.sha256,
        precision={result.phase: str(result.network.dtype).removeprefix("torch.") for result in results},
    )  # fmt: skip
    if phases.compiler is not None:
        environment["compile_seconds"] = round(phases.compiler.seconds, 3)
    write_atomically(options.out_dir / "environment.json", json.dumps(environment, indent=2) + "\n")
    from kd_engine.publish import publish  # only now: what draws the curves takes half a second to import

    return publish(spec, data, results, options.out_dir, phases.cache_stats)
