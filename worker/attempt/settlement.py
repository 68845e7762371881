"""How an attempt ends: its results are published, or the job fails, is handed back, paused, cancelled or lost."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from distillery.states import EndReason
from jobs.artifacts import ArtifactInfo
from jobs.errors import LeaseLost, StoreUnavailable
from kd_engine.schema.errors import DiskFullError, EngineError, Interrupted, ProcessLost
from kd_engine.schema.events import Finished
from worker.attempt.files import Attempt
from worker.attempt.lease import Lease
from worker.context import Services
from worker.transient_errors import AWAY, who

log = logging.getLogger(__name__)
T = TypeVar("T")
RETRY_SECONDS = 1.0


@dataclass(frozen=True)
class Outcome:
    """What became of the trainer.

    Attributes:
        words: how its process ended.
        finished: the engine's last event; None when it could write none.
        asked: it was asked to stop, because of the user's wish or because this worker leaves.
        overtime: why it was stopped for its time; None when it had enough.
        hung: why it was stopped for showing no progress; None when it got on.
        beyond: what of the spec this worker's version does not know, so that there was no trainer.
    """

    words: str
    finished: Finished | None = None
    asked: bool = False
    overtime: str | None = None
    beyond: str | None = None
    hung: str | None = None


class Settlement:
    """Writes the end of an attempt; waits for who is away as long as the lease may be believed in."""

    def __init__(self, attempt: Attempt, lease: Lease, services: Services) -> None:
        self._attempt, self._lease, self._services = attempt, lease, services
        self._job_id, self._token = attempt.job_id, attempt.token

    def settle(self, outcome: Outcome) -> str:
        """Turns what became of the trainer into how the job goes on; cancelling comes before all but a whole result.

        Returns:
            The reason for which the job ended; or `handed_back` or `lost`, where only the attempt did.
        """
        finished = outcome.finished
        if finished is not None and finished.reason == EndReason.COMPLETED:
            return self._publish(finished)
        if finished is not None and finished.reason == EndReason.DISK_FULL:
            return self._give_up_full(finished.detail)
        if finished is not None and finished.reason not in (Interrupted.code, ProcessLost.code):
            return self._finish(EndReason(finished.reason), finished.detail)
        if self._lease.cancel_requested:
            return self._finish(EndReason.CANCELLED, f"the trainer {outcome.words}")
        if outcome.overtime is not None:
            return self._finish(EndReason.TIMEOUT, outcome.overtime)
        if outcome.hung is not None:
            return self._give_up_hung(outcome.hung)
        if outcome.beyond is not None:
            return self._leave_to_newer(outcome.beyond)
        if outcome.asked:
            return self._hand_back("stopped as asked" if finished else f"the trainer {outcome.words}")
        lost = finished is not None and finished.reason == ProcessLost.code
        why = finished.detail if finished and lost else f"the trainer {outcome.words}"
        return self._lose(f"attempt {self._attempt.job.attempt}: {why}")

    def persist(self, write: Callable[[], T]) -> T:
        """Does a write that must not be given up, until it is taken or the lease is gone.

        Raises:
            LeaseLost: somebody else may have the job.
            StoreUnavailable: a file cannot be stored, and is not waited for: the job is to be cancelled, or this worker
                is to leave, and another one can make the file anew.
        """
        while True:
            try:
                return write()
            except AWAY as error:
                if self._lease.lost:
                    raise LeaseLost(self._job_id, self._token) from error
                hurried = self._lease.cancel_requested or self._services.leaving.is_set()
                if hurried and isinstance(error, StoreUnavailable):
                    raise
                log.warning("job %s: %s", self._job_id, who(error))
                time.sleep(RETRY_SECONDS)

    def _publish(self, finished: Finished) -> str:
        try:
            infos = self.persist(lambda: self._attempt.store_results(finished.artifacts))
        except StoreUnavailable:
            return self._hand_back("the artifact store was away at the end")
        except DiskFullError as error:
            return self._give_up_full(str(error))
        except EngineError as error:
            return self._finish(EndReason(error.code), str(error))
        try:
            return self._finish(EndReason.COMPLETED, "", infos)
        except LeaseLost:
            self._attempt.drop([info.key for info in infos])
            raise

    def _finish(self, reason: EndReason, detail: str, infos: Sequence[ArtifactInfo] = ()) -> str:
        def end() -> list[str]:
            with self._lease.ending(), self._services.database.write() as repository:
                return repository.finish(self._job_id, self._token, reason, detail, infos)

        self._attempt.drop(self.persist(end))
        return reason

    def _hand_back(self, why: str) -> str:
        """Queued again; paused or cancelled if somebody wished it, perhaps just now (the repository knows)."""

        def end() -> None:
            with self._lease.ending(), self._services.database.write() as repository:
                repository.hand_back(self._job_id, self._token, f"worker '{self._services.worker_id}': {why}")

        self.persist(end)
        return "handed_back"

    def _leave_to_newer(self, what: str) -> str:
        """In a rolling upgrade a newer worker comes; this one does not take the job again."""
        self._services.beyond.add(self._job_id)
        return self._hand_back(f"its version does not know this spec ({what}); a newer worker does")

    def _give_up_hung(self, why: str) -> str:
        """Tried again only where this attempt has got further than the one before, and its checkpoint can tell: one
        that hangs where it began would hang there again, and hold a worker for as long.
        """
        advice = "Where a single step takes so long, set KD_STALL_SECONDS higher."
        if self._attempt.got_further:
            return self._lose(f"attempt {self._attempt.job.attempt}: {why}. {advice}", EndReason.STALLED)
        return self._finish(EndReason.STALLED, f"{why}. {advice}")

    def _give_up_full(self, why: str) -> str:
        """Whose making it was shows once this attempt's own files are gone. If others fill the disk, the job waits in
        the queue, as all do that this worker would take. If there is room now, the job needs more than that, or the
        disk was full for a moment: it is tried again, and fails at the cap.
        """
        self._attempt.clear_away()
        self._services.room.met_full()
        if (lack := self._services.room.look()) is not None:
            return self._hand_back(f"{why} It waits for room: {lack}.")
        return self._lose(f"attempt {self._attempt.job.attempt}: {why}", EndReason.DISK_FULL)

    def _lose(self, why: str, reason: EndReason = EndReason.WORKER_LOST) -> str:
        def end() -> None:
            with self._lease.ending(), self._services.database.write() as repository:
                repository.lose(self._job_id, self._token, self._services.settings.max_lost_attempts, why, reason)

        self.persist(end)
        return "lost"
