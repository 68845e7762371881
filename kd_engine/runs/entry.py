"""Runs a job: data, teacher, student alone, distilled student, report; or data and an evaluation.

The one entry for the service and the command.

`run` never raises for what a user, a disk or a device did: it ends with a `Finished` event that says what happened.
"""

from __future__ import annotations

from collections.abc import Callable

from kd_engine.distributed.world import ProcessInfo, torchrun_process
from kd_engine.jobspec import AnySpec
from kd_engine.platform.device import choose_device
from kd_engine.runs.launcher import launch
from kd_engine.runs.work import guarded, requested_device, work
from kd_engine.schema.events import Event, Finished, Working
from kd_engine.schema.run_request import RunOptions

EVENTS_FILE = "events.jsonl"


def run(
    spec: AnySpec,
    options: RunOptions,
    *,
    emit: Callable[[Event], None] = lambda event: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Finished:
    """Trains (or evaluates) what `spec` asks for and writes the artifacts into `options.out_dir`.

    On several devices it starts a process for each, unless torchrun started this one among as many: then each of them
    is to call this, and the first one writes and tells.

    Args:
        emit: hears every event; they are also appended to `events.jsonl`, and signs of life to that alone.
        should_stop: asked after each step; once true, a checkpoint is written and the run ends `interrupted`.

    Returns:
        The last event: `completed` with the names of the artifacts, or why not.
    """
    options.out_dir.mkdir(parents=True, exist_ok=True)
    process = torchrun_process()
    if process is not None and process.rank > 0:
        return work(spec, options, process, should_stop=should_stop)
    with (options.out_dir / EVENTS_FILE).open("a", buffering=1) as lines:

        def tell(event: Event) -> None:
            try:
                lines.write(event.model_dump_json() + "\n")
            except OSError:
                if not isinstance(event, Working):  # a sign that cannot be given is no reason to end
                    raise
            if not isinstance(event, Working):
                emit(event)

        if process is None and spec.resources.devices > 1:
            finished = guarded(lambda: _launched(spec, options, tell, should_stop))
        else:
            finished = work(spec, options, process or ProcessInfo(), emit=tell, should_stop=should_stop)
        tell(finished)
    return finished


def _launched(
    spec: AnySpec, options: RunOptions, emit: Callable[[Event], None], should_stop: Callable[[], bool]
) -> Finished:
    choose_device(requested_device(spec, options), spec.resources.devices)  # too few are noticed before any starts
    return launch(spec, options, emit, should_stop)
