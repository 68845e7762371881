"""images/s of the distillation step against a plain loop, batch 128, CIFAR-10-shaped data, for three pairs of networks.

Both sides run with a trainer's own environment: waiting threads sleep, freed memory is kept.
"""

from __future__ import annotations

import copy
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.plain_loop import MEAN, STD, PlainLoop
from benchmarks.turns import ROUNDS, Measured, in_turns
from kd_engine.cached_teacher import CachedTeacher, cache_for
from kd_engine.data.dataset import Dataset, Split
from kd_engine.device import set_up, training_dtype
from kd_engine.network import Architecture, Network, build
from kd_engine.objective import Objective
from kd_engine.spec import JobSpec
from kd_engine.streams import seeded
from kd_engine.trainer import Trainer
from worker.trainer_process import trainer_environment

BATCH = 128
_CPU = torch.device("cpu")


class Pair(NamedTuple):
    """A teacher and a student, how many steps make a measured epoch, and the floors of docs/performance.md."""

    teacher: str
    student: str
    steps: int
    floors: dict[str, float]


PAIRS = (
    Pair("resnet56", "resnet20", 8, {"float32": 1.25, "auto": 2.0, "warm cache": 3.2}),
    Pair("resnet110", "resnet20", 6, {"float32": 1.25, "auto": 2.1, "warm cache": 4.3}),
    Pair("resnet32x4", "resnet8x4", 2, {"float32": 1.15, "auto": 2.2, "warm cache": 5.2}),
)


class _Silent:
    """A watcher that watches nothing."""

    def after_step(self, trainer: Trainer) -> None:
        pass

    def after_epoch(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        pass


def run() -> None:
    """Measures in a process of its own, with the environment that a trainer gets."""
    threads = torch.get_num_threads()
    subprocess.run([sys.executable, "-m", "benchmarks.training"], env=trainer_environment(threads), check=True)


def measure_all(pairs: tuple[Pair, ...] = PAIRS, rounds: int = ROUNDS) -> None:
    """Prints the ratios of each pair, and the achieved rate beside the machine's own."""
    threads = set_up(_CPU, None)
    print(f"distillation step, batch {BATCH}, {threads} threads, medians of {rounds} rounds in turns")
    for pair in pairs:
        with tempfile.TemporaryDirectory() as folder:
            _show(pair, measure(pair, Path(folder), rounds))
    ceiling = _convolution_rate()
    print(f"the machine's own rate on 3x3 convolutions of 64 channels: {ceiling['float32']:.0f} GFLOP/s in float32, "
          f"{ceiling['bf16']:.0f} in bf16")  # fmt: skip


def measure(pair: Pair, folder: Path, rounds: int) -> Measured:
    """Seconds of an epoch of `pair.steps` steps: the plain loop, the engine, and the engine with a warm cache."""
    images = torch.randint(0, 256, (BATCH * pair.steps, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, 10, (len(images),))
    plain = {role: _network(model, role) for role, model in (("teacher", pair.teacher), ("student", pair.student))}
    contestants: dict[str, Any] = {
        "plain loop": PlainLoop(
            plain["student"].module.to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
            plain["teacher"].module.to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
            images.permute(0, 2, 3, 1).contiguous().numpy(),
            labels.numpy(),
            BATCH,
        ),
        "float32": _Epochs(pair, "float32", Split(images, labels)),
        "auto": _Epochs(pair, "auto", Split(images, labels)),
        "warm cache": _Epochs(pair, "auto", Split(images, labels), folder),
    }
    return in_turns(contestants, rounds)


class _Epochs:
    """The engine's own training: the same epoch, views and all, each time it is called.

    With `cache_folder` the teacher answers from its cache, which the warm-up round filled. Validation is on a handful
    of images.
    """

    def __init__(self, pair: Pair, precision: str, train: Split, cache_folder: Path | None = None) -> None:
        spec = _spec(pair, precision)
        student, teacher = _network(pair.student, "student"), _network(pair.teacher, "teacher")
        for network in (student, teacher):
            network.dtype = training_dtype(precision, network.module, _CPU)
        teacher.freeze()
        few = Split(train.images_NCHW[:8], train.labels_N[:8])
        data = Dataset(train, few, few, student.architecture.classes, (3, 32, 32), "")
        cache: CachedTeacher | None = None
        if cache_folder is not None:
            cache = cache_for(spec, data, teacher, cache_folder)
            assert cache is not None, "crop and flip have finite views"
        losses, ce_weight = spec.objective()
        objective = Objective(student, ce_weight=ce_weight, losses=losses, teacher=teacher, cache=cache)
        self._trainer = Trainer(student, data, spec.training, objective, 0, "student", _Silent())

    def __call__(self) -> None:
        self._trainer.epoch = 0
        self._trainer.train_epoch()


def _spec(pair: Pair, precision: str) -> JobSpec:
    return JobSpec.model_validate(
        {
            "dataset": "cifar10",
            "teacher": pair.teacher,
            "student": pair.student,
            "training": {
                "batch_size": BATCH,
                "precision": precision,
                "optimizer": {"name": "sgd", "lr": 0.05, "weight_decay": 5e-4},
                "augmentation": ["crop", "flip"],
            },
        }
    ).resolved()


def _network(model: str, role: str) -> Network:
    architecture = Architecture(model, {}, (3, 32, 32), tuple("0123456789"), MEAN, STD)
    with seeded(0, role):
        network = build(architecture)
        network.module.train()
        with (
            torch.no_grad()
        ):  # statistics, without which the numbers grow from layer to layer beyond any real network's
            for _ in range(10):
                network.logits(torch.randint(0, 256, (32, 3, 32, 32), dtype=torch.uint8))
    return network


def _show(pair: Pair, measured: Measured) -> None:
    flops = _flops_per_image(pair)
    print(f"{pair.teacher} -> {pair.student}")
    for name in measured.seconds:
        rate = BATCH * pair.steps / measured.median(name)
        speedup = measured.speedup(name, "plain loop")
        floor = f"  floor {pair.floors[name]:.2f}x" if name in pair.floors else ""
        print(f"  {name:<12} {rate:8,.0f} images/s  {speedup:5.2f}x{floor}  {rate * flops / 1e9:6.0f} GFLOP/s")


def _flops_per_image(pair: Pair) -> float:
    """Teacher forward, student forward and backward, counted by torch; also where the cache spares the teacher."""
    student, teacher = _network(pair.student, "student"), _network(pair.teacher, "teacher")
    images_BCHW = torch.zeros(2, 3, 32, 32, dtype=torch.uint8)
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
