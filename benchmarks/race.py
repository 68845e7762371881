"""Many workers at the same database, each a process of its own that does one thing again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from multiprocessing.queues import SimpleQueue
from multiprocessing.synchronize import Barrier

from benchmarks.crowd import TOKEN, running_id
from jobs.database import Database
from kd_engine.schema.events import Progress

Act = Callable[[Database, int], bool]
"""What racer `number` does; False when there is nothing left to do."""
_START_SECONDS = 60.0


@dataclass(frozen=True)
class Done:
    """How often they all did it, and how long that took."""

    count: int
    seconds: float

    @property
    def per_second(self) -> float:
        return self.count / self.seconds


@dataclass(frozen=True)
class Race:
    """Args:
    act: a function of this module, since it is called in other processes.
    seconds: after so long they stop, unless there is nothing left to do.
    """

    url: str
    act: Act
    racers: int
    seconds: float = 3.0

    def run(self) -> Done:
        """Runs it to the end.

        Raises:
            RuntimeError: one of them failed; what was wrong stands on the terminal.
        """
        context = get_context("forkserver")
        context.set_forkserver_preload(["benchmarks.race"])
        start, results = context.Barrier(self.racers + 1), context.SimpleQueue()
        processes = [context.Process(target=_take_part, args=(self, n, start, results)) for n in range(self.racers)]
        for process in processes:
            process.start()
        try:
            start.wait(_START_SECONDS)
        finally:
            _all_over(processes)
        done: list[tuple[int, float]] = [results.get() for _ in processes]
        return Done(sum(count for count, _ in done), max(seconds for _, seconds in done))


def _all_over(processes: list[ForkServerProcess]) -> None:
    for process in processes:
        process.join()
    if any(process.exitcode for process in processes):
        raise RuntimeError("a racer failed")


def _take_part(race: Race, number: int, start: Barrier, results: SimpleQueue[tuple[int, float]]) -> None:
    database, count = Database(race.url), 0
    try:
        database.ping()
        start.wait(_START_SECONDS)
        began = time.perf_counter()
        while time.perf_counter() - began < race.seconds and race.act(database, number):
            count += 1
        results.put((count, time.perf_counter() - began))
    except BaseException:
        start.abort()
        raise
    finally:
        database.dispose()


def renew(database: Database, number: int) -> bool:
    """The renewal of a lease."""
    with database.write() as repository:
        repository.renew(running_id(number), TOKEN, 3600)
    return True


def progress(database: Database, number: int) -> bool:
    """What a trainer tells once a second."""
    now = Progress(phase="student", repeat=0, epoch=1, step=1, steps=9, fraction=time.time() % 1, seconds_remaining=9.5)
    with database.write() as repository:
        repository.record(running_id(number), TOKEN, [now])
    return True


def write_log(database: Database, number: int) -> bool:
    """One line of a trainer's log."""
    with database.write() as repository:
        repository.write_log(running_id(number), TOKEN, ["student 0: epoch 1 of 100: train_loss 0.1, val_loss 0.2"])
    return True


def beat(database: Database, number: int) -> bool:
    """A worker says that it is alive."""
    with database.write() as repository:
        repository.beat(f"worker-{number}", "cpu", None)
    return True


def sweep(database: Database, number: int) -> bool:
    """A worker looks for jobs that others lost, and finds none."""
    with database.write() as repository:
        repository.expire_leases(3)
    return True


def claim(database: Database, number: int) -> bool:
    """A worker takes the job whose turn it is."""
    with database.write() as repository:
        return repository.claim_next(f"worker-{number}", "cpu", 3600) is not None


def look(database: Database, number: int) -> bool:
    """An idle worker looks for a job, and finds none."""
    if claim(database, number):
        raise RuntimeError("the queue was to be empty")
    return True
