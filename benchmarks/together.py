"""Two jobs at once, each with half of the cores, against one job with all of them: images/s together.

Each trainer is a process of its own with the environment that a worker gives it. All are started and warmed up before
the first round; the ones whose turn it is not sleep until they read a line.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from benchmarks.as_trainer import cores
from benchmarks.engine_loop import CPU, EngineLoop
from benchmarks.turns import ROUNDS, Measured, in_turns
from benchmarks.work import BATCH, Work, cifar
from kd_engine.platform.device import set_up
from worker.trainer_environment import trainer_environment

FLOOR = 0.95
WORK = cifar("resnet56", "resnet20", 10)
_ONE, _TWO = "one job", "two jobs"


class TrainerAtHand:
    """A trainer in its own process that trains an epoch when told to."""

    def __init__(self, work: Work, threads: int) -> None:
        arguments = [work.teacher, work.student, str(work.steps), str(threads)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.together", *arguments],
            env=trainer_environment(threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
        )

    def begin(self) -> None:
        """Sends it off; `wait` brings the end."""
        _pipe(self._process.stdin).write("epoch\n")

    def wait(self) -> None:
        """Until the epoch is done.

        Raises:
            RuntimeError: the process died.
        """
        if not _pipe(self._process.stdout).readline():
            raise RuntimeError(f"a trainer ended with exit status {self._process.wait()}; its message is above")

    def close(self) -> None:
        """Ends the process."""
        _pipe(self._process.stdin).close()
        self._process.wait()
        _pipe(self._process.stdout).close()


@contextmanager
def trainers(work: Work, threads: list[int]) -> Iterator[list[TrainerAtHand]]:
    """A trainer for each number of threads, until the block ends."""
    with ExitStack() as stack:
        started = []
        for number in threads:
            trainer = TrainerAtHand(work, number)
            stack.callback(trainer.close)
            started.append(trainer)
        yield started


def run() -> None:
    """Prints the ratio."""
    measure_all()


def measure_all(work: Work = WORK, rounds: int = ROUNDS) -> None:
    """Prints the rates and their ratio."""
    measured = measure(work, rounds)
    print(f"two jobs at once over one, {work.teacher} -> {work.student}, batch {BATCH}, medians of {rounds} rounds")
    print(f"  one job, {cores()} threads: {work.images / measured.median(_ONE):,.0f} images/s")
    print(f"  two jobs, {_half()} each:  {2 * work.images / measured.median(_TWO):,.0f} images/s together, "
          f"{2 * measured.speedup(_TWO, _ONE):.2f}x  floor {FLOOR}x")  # fmt: skip


def measure(work: Work, rounds: int) -> Measured:
    """Seconds until one epoch of one job is done, and until one epoch of each of two jobs is done."""
    with trainers(work, [cores(), _half(), _half()]) as (whole, *halves):
        return in_turns({_ONE: lambda: _epoch([whole]), _TWO: lambda: _epoch(halves)}, rounds)


def _epoch(started: list[TrainerAtHand]) -> None:
    for trainer in started:
        trainer.begin()
    for trainer in started:
        trainer.wait()


def _half() -> int:
    return max(cores() // 2, 1)


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None, "the process was started with pipes"
    return pipe


def train_when_told(work: Work, threads: int) -> None:
    """The child: an epoch for each line on standard input, a line on standard output for each epoch."""
    set_up(CPU, threads)
    with tempfile.TemporaryDirectory() as folder:
        epoch = EngineLoop(work, "auto", work.split(), Path(folder) / "events.jsonl")
        for _ in sys.stdin:
            epoch()
            print("done", flush=True)


if __name__ == "__main__":
    teacher, student, steps, threads = sys.argv[1:]
    train_when_told(cifar(teacher, student, int(steps)), int(threads))
