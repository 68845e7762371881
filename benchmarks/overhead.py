"""What the service costs: the engine's step, watched as a job's is, over a bare loop with the same optimisations."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks.as_trainer import cores, run_as_trainer
from benchmarks.bare_loop import BareLoop
from benchmarks.engine_loop import CPU, EngineLoop
from benchmarks.turns import Measured, in_turns
from benchmarks.work import BATCH, Work, cifar, mnist
from kd_engine.platform.device import set_up

FLOOR = 1.03
ROUNDS = 11  # a difference of a percent drowns in five
WORK = (
    (cifar("resnet56", "resnet20", 3), "float32"),
    (cifar("resnet56", "resnet20", 3), "auto"),
    (cifar("resnet32x4", "resnet8x4", 1), "auto"),
    (mnist(50), "auto"),
)
_BARE, _ENGINE = "bare loop", "engine"


def run() -> None:
    """Measures in a process of its own, with the environment that a trainer gets."""
    run_as_trainer("benchmarks.overhead")


def measure_all(contests: tuple[tuple[Work, str], ...] = WORK, rounds: int = ROUNDS) -> None:
    """Prints time over time, a line for each pair of networks."""
    threads = set_up(CPU, cores())
    print(
        f"the engine's step over a bare loop's, batch {BATCH}, {threads} threads, medians of {rounds} rounds in turns"
    )
    for work, precision in contests:
        with tempfile.TemporaryDirectory() as folder:
            measured = measure(work, precision, Path(folder), rounds)
        bare, engine = (1000 * measured.median(name) / work.steps for name in (_BARE, _ENGINE))
        print(f"  {work.teacher} -> {work.student}, {precision}: {engine:.2f} ms a step over {bare:.2f}, "
              f"{1 / measured.speedup(_ENGINE, _BARE):.3f}x the time "
              f"(CPU time {1 / measured.cpu_speedup(_ENGINE, _BARE):.3f}x)  floor {FLOOR}x")  # fmt: skip


def measure(work: Work, precision: str, folder: Path, rounds: int) -> Measured:
    """Seconds of an epoch of `work.steps` steps, for both."""
    train = work.split()
    contestants: dict[str, Callable[[], object]] = {
        _BARE: BareLoop(work, precision, train),
        _ENGINE: EngineLoop(work, precision, train, folder / "events.jsonl"),
    }
    return in_turns(contestants, rounds)


if __name__ == "__main__":
    measure_all()
