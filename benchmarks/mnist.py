"""images/s of softmax regression from a convolutional teacher, batch 128, MNIST-shaped data: a plain loop, and the
engine with its teacher live and with a warm cache, in turns.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.as_trainer import cores, run_as_trainer
from benchmarks.engine_loop import CPU, EngineLoop
from benchmarks.plain_loop import PlainLoop
from benchmarks.turns import ROUNDS, Measured, in_turns
from benchmarks.work import BATCH, Work, mnist
from kd_engine.platform.device import set_up

FLOORS = {"live": 3.5, "warm cache": 50.0}
_PLAIN = "plain loop"
_STEPS = 50


def run() -> None:
    """Measures in a process of its own, with the environment that a trainer gets."""
    run_as_trainer("benchmarks.mnist")


def measure_all(steps: int = _STEPS, rounds: int = ROUNDS) -> None:
    """Prints the ratios."""
    threads, work = set_up(CPU, cores()), mnist(steps)
    print(f"{work.teacher} -> {work.student}, batch {BATCH}, {threads} threads, medians of {rounds} rounds in turns")
    with tempfile.TemporaryDirectory() as folder:
        measured = measure(work, Path(folder), rounds)
    for name in measured.seconds:
        floor = f"  floor {FLOORS[name]:.1f}x" if name in FLOORS else ""
        ratio, in_cpu = measured.speedup(name, _PLAIN), measured.cpu_speedup(name, _PLAIN)
        print(f"  {name:<12} {work.images / measured.median(name):9,.0f} images/s  {ratio:6.2f}x of {_PLAIN} "
              f"(CPU time {in_cpu:.2f}x){floor}")  # fmt: skip


def measure(work: Work, folder: Path, rounds: int) -> Measured:
    """Seconds of an epoch of `work.steps` steps, for each contestant."""
    train, events = work.split(), folder / "events.jsonl"
    return in_turns(
        {
            _PLAIN: PlainLoop(work, train),
            "live": EngineLoop(work, "auto", train, events),
            "warm cache": EngineLoop(work, "auto", train, events, folder),
        },
        rounds,
    )


if __name__ == "__main__":
    measure_all()
