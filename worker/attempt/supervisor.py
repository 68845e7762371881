"""Watches over one attempt's trainer, from its start until it is gone.

Copies its events and its log to the database, stores its checkpoints, passes on what the job's user wishes, minds its
time and its progress, and ends it at once when the lease is lost. A database or a store that is away costs the trainer
nothing.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from jobs.errors import LeaseLost, StoreUnavailable
from jobs.telemetry import trace
from kd_engine.platform.files import DISK_FULL
from kd_engine.schema.errors import DiskFullError, EngineError
from kd_engine.schema.events import CheckpointSaved, Event, Finished, Working
from worker.attempt.files import Attempt, SpecBeyond
from worker.attempt.lease import Lease
from worker.attempt.log_shipper import LogShipper
from worker.attempt.phase_spans import PhaseSpans
from worker.attempt.progress_watch import ProgressWatch
from worker.attempt.settlement import RETRY_SECONDS, Outcome, Settlement
from worker.attempt.trainer_process import LOG_FILE, TrainerProcess
from worker.attempt.trainer_watch import TrainerWatch
from worker.context import Services
from worker.transient_errors import AWAY, who

log = logging.getLogger(__name__)
trainer_log = logging.getLogger("trainer")
_POLL_SECONDS = 0.1
_NO_ROOM = "no room in the scratch folder of the worker: free some space there."


class Supervisor:
    """One attempt's trainer, and what is known of it."""

    def __init__(self, attempt: Attempt, lease: Lease, settlement: Settlement, services: Services) -> None:
        self._attempt, self._lease, self._settlement, self._services = attempt, lease, settlement, services
        self._job_id, self._token = attempt.job_id, attempt.token
        self._unrecorded: list[Event] = []
        self._phases = PhaseSpans(services.spans, trace.current())
        self._log = LogShipper(attempt.folder / LOG_FILE, self._write_log)
        self._watch: TrainerWatch  # once there is a trainer
        self._progress = ProgressWatch(services.settings.stall_seconds)
        self._finished: Finished | None = None
        self._record_at = 0.0
        self._began = time.monotonic()
        self._asked = False
        self._overtime: str | None = None
        self._hung: str | None = None
        self._beyond: str | None = None

    def run(self) -> Outcome:
        """Runs the trainer, unless there is no need to; says what became of it."""
        words = "was not needed"
        try:
            if not self._out_of_time() and self._prepared():
                words = self._train()
        except SpecBeyond as error:
            self._beyond = str(error)
        except EngineError as error:  # this side's own: a teacher that is gone, no room for a checkpoint
            self._finished = Finished(reason=error.code, detail=str(error))
        if self._unrecorded:
            self._record_rest()
        while self._settlement.persist(lambda: self._log.ship_chunk(ended=True)):
            continue
        return Outcome(words, self._finished, self._asked, self._overtime, self._beyond, self._hung)

    def _prepared(self) -> bool:
        """Prepares the attempt. Waits for who is away meanwhile, unless there is no need to run any more."""
        while True:
            try:
                self._prepare()
                return True
            except AWAY as error:
                if self._lease.lost:
                    raise LeaseLost(self._job_id, self._token) from error
                if self._told_to_stop() or self._out_of_time():
                    return False
                log.warning("job %s: %s", self._job_id, who(error))
                time.sleep(RETRY_SECONDS)

    def _prepare(self) -> None:
        with _scratch_room():
            self._attempt.prepare()
        for warning in self._attempt.warnings:
            self._log.add(warning)

    def _train(self) -> str:
        """Runs the trainer to its end; says how it ended."""
        threads = self._services.settings.trainer_threads
        with _scratch_room():
            trainer = TrainerProcess(self._attempt.folder, threads, trace.environment())
        self._progress.begin()
        try:
            self._watch = TrainerWatch(trainer, self._attempt.folder, self._services.settings, self._services.device)
            with self._lease.watchdog(trainer.kill), self._watch:
                while trainer.running:
                    self._look_after(trainer)
                    time.sleep(_POLL_SECONDS)
            self._hear(trainer.events())
            self._write_down()
        finally:
            trainer.close()
            self._phases.close()
        self._finished = self._watch.verdict(self._finished)
        if self._finished is None and trainer.found_no_room:
            self._finished = Finished(reason=DiskFullError.code, detail=_NO_ROOM)
        return trainer.outcome

    def _look_after(self, trainer: TrainerProcess) -> None:
        if self._lease.lost:
            raise LeaseLost(self._job_id, self._token)
        # What it wrote is heard before it is judged: writing down may have kept this process for longer than a trainer
        # may be quiet.
        self._hear(trainer.events())
        if self._told_to_stop() or self._out_of_time() or self._hangs():
            trainer.ask_to_stop(self._services.settings.cancel_grace_seconds)
        trainer.check()
        self._write_down()

    def _told_to_stop(self) -> bool:
        """Remembered: who takes a wish back after this still finds the trainer gone, and the job in the queue."""
        wished = self._lease.cancel_requested or self._lease.pause_requested
        self._asked = self._asked or wished or self._services.leaving.is_set()
        return self._asked

    def _out_of_time(self) -> bool:
        limit, job = self._attempt.time_limit, self._attempt.job
        ran = job.ran_ms / 1000 + time.monotonic() - self._began
        if limit is not None and ran >= limit[0] and self._overtime is None:
            attempts = f"{job.attempt} attempts" if job.attempt > 1 else "one attempt"
            self._overtime = (
                f"it ran for {ran:,.0f} s in {attempts}, and {limit[1]} allows {limit[0]:,g}. A retry "
                "(POST /jobs/{id}/retry) goes on from the last checkpoint with as much time again; a new job may ask "
                "for more time or fewer epochs."
            )
        return self._overtime is not None

    def _hangs(self) -> bool:
        """Remembered: one that ends in its grace after all was still too slow."""
        self._hung = self._hung or self._progress.hung
        return self._hung is not None

    def _hear(self, events: Sequence[Event]) -> None:
        for event in events:
            self._phases.heard(event)
            self._watch.heard(event)
            self._services.metrics.heard(event)
            self._progress.heard(event)
            if isinstance(event, Finished):
                self._finished = event
            elif not isinstance(event, Working):
                self._unrecorded.append(event)

    def _write_down(self) -> None:
        """Records events and the log from time to time, and not while the database or the store is away; until then
        they wait, and the trainer goes on.
        """
        if time.monotonic() < self._record_at:
            return
        try:
            self._progress.note(self._note_stall, self._note_progress)
            if self._unrecorded:
                self._record()
            self._log.ship()
        except AWAY as error:
            log.warning("job %s: %s", self._job_id, who(error))
            self._record_at = time.monotonic() + RETRY_SECONDS

    def _note_stall(self, quiet_seconds: float, doing: str) -> None:
        log.warning("job %s: no progress for %.0f s while it was %s", self._job_id, quiet_seconds, doing)
        with self._services.database.write() as repository:
            repository.note_stall(self._job_id, self._token, quiet_seconds, doing)

    def _note_progress(self) -> None:
        log.info("job %s: it gets on again", self._job_id)
        with self._services.database.write() as repository:
            repository.note_progress(self._job_id, self._token)

    def _record(self) -> None:
        """Stores and lists the newest checkpoint before it records the event that tells of it."""
        if any(isinstance(event, CheckpointSaved) for event in self._unrecorded):
            self._attempt.list_checkpoint()
        with self._services.database.write() as repository:
            repository.record(self._job_id, self._token, self._unrecorded)
        self._unrecorded = []
        self._record_at = time.monotonic() + self._services.settings.record_seconds

    def _record_rest(self) -> None:
        """Where the last checkpoint cannot be stored, the next attempt goes on from the one before."""
        try:
            self._settlement.persist(self._record)
        except (StoreUnavailable, DiskFullError) as error:
            why = str(error) if isinstance(error, DiskFullError) else who(error)
            log.warning("job %s: its last checkpoint is given up: %s", self._job_id, why)
            self._unrecorded = [event for event in self._unrecorded if not isinstance(event, CheckpointSaved)]
            self._settlement.persist(self._record)

    def _write_log(self, lines: Sequence[str]) -> None:
        with self._services.database.write() as repository:
            repository.write_log(self._job_id, self._token, lines)
        if self._services.settings.log_format == "json":
            # where somebody collects the log of the whole service, the trainer's own lines belong into it
            for line in lines:
                trainer_log.info("%s", line)


@contextmanager
def _scratch_room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in DISK_FULL:
            raise DiskFullError(_NO_ROOM) from error
        raise
