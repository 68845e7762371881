"""images/s of the distillation step, batch 128, CIFAR-10-shaped data, for three pairs of networks: a plain loop,
torchdistill, and the engine in float32, in `auto`, and in `auto` with a warm cache, in turns.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.as_trainer import cores, run_as_trainer
from benchmarks.engine_loop import CPU, EngineLoop
from benchmarks.peer_loop import PeerLoop
from benchmarks.plain_loop import PlainLoop
from benchmarks.turns import ROUNDS, Measured, in_turns
from benchmarks.work import BATCH, Work, cifar
from kd_engine.platform.device import set_up

PLAIN, PEER = "plain loop", "torchdistill"


class Pair(NamedTuple):
    """Two networks, and the floors of docs/performance.md."""

    work: Work
    floors: dict[str, float]


PAIRS = (
    Pair(cifar("resnet56", "resnet20", 4), {"float32": 1.25, "auto": 2.0, "warm cache": 3.2}),
    Pair(cifar("resnet110", "resnet20", 3), {"float32": 1.25, "auto": 2.1, "warm cache": 4.3}),
    Pair(cifar("resnet32x4", "resnet8x4", 2), {"float32": 1.15, "auto": 2.2, "warm cache": 5.2}),
)


def run() -> None:
    """Measures in a process of its own, with the environment that a trainer gets."""
    run_as_trainer("benchmarks.training")


def measure_all(pairs: tuple[Pair, ...] = PAIRS, rounds: int = ROUNDS) -> None:
    """Prints the ratios of each pair, and the achieved rate beside the machine's own."""
    threads = set_up(CPU, cores())
    print(f"distillation step, batch {BATCH}, {threads} threads, medians of {rounds} rounds in turns")
    for pair in pairs:
        with tempfile.TemporaryDirectory() as folder:
            show(pair, measure(pair.work, Path(folder), rounds))
    ceiling = _convolution_rate()
    print(f"the machine's own rate on 3x3 convolutions of 64 channels: {ceiling['float32']:.0f} GFLOP/s in float32, "
          f"{ceiling['bf16']:.0f} in bf16")  # fmt: skip


def measure(work: Work, folder: Path, rounds: int) -> Measured:
    """Seconds of an epoch of `work.steps` steps, for each contestant."""
    train, events = work.split(), folder / "events.jsonl"
    contestants: dict[str, Callable[[], object]] = {
        PLAIN: PlainLoop(work, train),
        PEER: PeerLoop(work, train),
        "float32": EngineLoop(work, "float32", train, events),
        "auto": EngineLoop(work, "auto", train, events),
        "warm cache": EngineLoop(work, "auto", train, events, folder),
    }
    return in_turns(contestants, rounds)


def show(pair: Pair, measured: Measured) -> None:
    """Prints each contestant's rate, and its ratio to the plain loop and to torchdistill, in time and in CPU time."""
    work = pair.work
    flops = flops_per_image(work)
    print(f"{work.teacher} -> {work.student}")
    for name in measured.seconds:
        rate = work.images / measured.median(name)
        ratios = "  ".join(
            f"{measured.speedup(name, other):5.2f}x of {other} (CPU time {measured.cpu_speedup(name, other):.2f}x)"
            for other in (PLAIN, PEER)
        )
        floor = f"  floor {pair.floors[name]:.2f}x" if name in pair.floors else ""
        print(f"  {name:<12} {rate:6,.0f} images/s  {rate * flops / 1e9:4.0f} GFLOP/s  {ratios}{floor}")


def flops_per_image(work: Work) -> float:
    """Teacher forward, student forward and backward, counted by torch; also where the cache spares the teacher."""
    student, teacher = work.network(work.student, "student"), work.network(work.teacher, "teacher")
    images_BCHW = torch.zeros(2, *work.shape, dtype=torch.uint8)
    with FlopCounterMode(display=False) as counter:
        with torch.no_grad():
            teacher.logits(images_BCHW)
        student.logits(images_BCHW).sum().backward()  # type: ignore[no-untyped-call]
    return float(counter.get_total_flops() / 2)


def _convolution_rate() -> dict[str, float]:
    """GFLOP/s of one large convolution, forward."""
    layer = torch.nn.Conv2d(64, 64, 3, padding=1, bias=False).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    x_BCHW = torch.randn(BATCH, 64, 32, 32).to(memory_format=torch.channels_last)
    half, x_half = copy.deepcopy(layer).bfloat16(), x_BCHW.bfloat16()
    flops = 2 * BATCH * 32 * 32 * 64 * 64 * 9
    with torch.inference_mode():
        measured = in_turns({"float32": lambda: layer(x_BCHW), "bf16": lambda: half(x_half)}, rounds=15)
    return {name: flops / measured.median(name) / 1e9 for name in measured.seconds}


if __name__ == "__main__":
    measure_all()
