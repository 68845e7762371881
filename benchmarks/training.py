"""images/s of the distillation step against a plain loop: resnet56 -> resnet20, batch 128, CIFAR-10-shaped data."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.plain_loop import MEAN, STD, PlainLoop
from benchmarks.turns import Measured, in_turns
from kd_engine.data.dataset import Dataset, Split
from kd_engine.device import set_up, training_dtype
from kd_engine.network import Architecture, Network, build
from kd_engine.objective import Objective
from kd_engine.spec import JobSpec
from kd_engine.streams import seeded
from kd_engine.trainer import Trainer

BATCH, STEPS = 128, 8
_CPU = torch.device("cpu")


class _Silent:
    """A watcher that watches nothing."""

    def after_step(self, trainer: Trainer) -> None:
        pass

    def after_epoch(self, trainer: Trainer, metrics: dict[str, float]) -> None:
        pass


def run() -> None:
    """Prints the ratios, and the achieved rate beside the machine's own."""
    threads = set_up(_CPU, None)
    images = torch.randint(0, 256, (BATCH * STEPS, 3, 32, 32), dtype=torch.uint8)
    labels = torch.randint(0, 10, (len(images),))
    plain = {role: _network(model, role) for role, model in (("teacher", "resnet56"), ("student", "resnet20"))}
    contestants: dict[str, Any] = {
        "plain loop": PlainLoop(
            plain["student"].module.to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
            plain["teacher"].module.to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
            images.permute(0, 2, 3, 1).contiguous().numpy(),
            labels.numpy(),
            BATCH,
        )
    }
    for precision in ("float32", "auto"):
        contestants[precision] = _Epochs(precision, Split(images, labels))
    measured = in_turns(contestants)
    _show(measured, len(images), threads)


class _Epochs:
    """The engine's own training, an epoch each time it is called (validation on a handful of images)."""

    def __init__(self, precision: str, train: Split) -> None:
        spec = JobSpec.model_validate(
            {
                "dataset": "cifar10",
                "teacher": "resnet56",
                "student": "resnet20",
                "training": {
                    "epochs": 10_000,
                    "batch_size": BATCH,
                    "precision": precision,
                    "optimizer": {"name": "sgd", "lr": 0.05, "weight_decay": 5e-4},
                    "augmentation": ["crop", "flip"],
                },
            }
        )
        student, teacher = _network("resnet20", "student"), _network("resnet56", "teacher")
        for network in (student, teacher):
            network.dtype = training_dtype(precision, network.module, _CPU)
        few = Split(train.images_NCHW[:8], train.labels_N[:8])
        data = Dataset(train, few, few, student.architecture.classes, (3, 32, 32), "")
        losses, ce_weight = spec.objective()
        objective = Objective(student, ce_weight=ce_weight, losses=losses, teacher=teacher)
        self._trainer = Trainer(student, data, spec.training, objective, 0, "student", _Silent())

    def __call__(self) -> None:
        self._trainer.train_epoch()


def _network(model: str, role: str) -> Network:
    architecture = Architecture(model, {}, (3, 32, 32), tuple("0123456789"), MEAN, STD)
    with seeded(0, role):
        return build(architecture)


def _show(measured: Measured, images: int, threads: int) -> None:
    flops = _flops_per_image()
    ceiling = _convolution_rate()
    print(
        f"distillation step, resnet56 -> resnet20, batch {BATCH}, {threads} threads, "
        f"medians of {len(measured.seconds['auto'])}"
    )
    for name in measured.seconds:
        rate = images / measured.median(name)
        speedup = measured.speedup(name, "plain loop")
        print(f"  {name:<12} {rate:8,.0f} images/s  {speedup:5.2f}x  {rate * flops / 1e9:6.0f} GFLOP/s")
    print("  floors: 1.25x in float32, 2x with auto on a CPU with bf16")
    print(f"  the machine's own rate on 3x3 convolutions of 64 channels: {ceiling['float32']:.0f} GFLOP/s in float32, "
          f"{ceiling['bf16']:.0f} in bf16")  # fmt: skip


def _flops_per_image() -> float:
    """Teacher forward, student forward and backward, counted by torch."""
    student, teacher = _network("resnet20", "student"), _network("resnet56", "teacher")
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
