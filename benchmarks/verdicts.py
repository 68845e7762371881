"""How often a verdict is wrong: simulated pairs whose difference is known, and real jobs with nothing to gain.

    python -m benchmarks verdicts

A real job with nothing to gain has a distillation term of weight 0.0001: student alone and distilled student differ by
the rounding that it causes, and by the chaos of training.
"""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from kd_engine.jobspec import parse_spec
from kd_engine.runs.entry import run as run_job
from kd_engine.schema.report import TrainingReport
from kd_engine.schema.run_request import RunOptions
from kd_engine.statistics.intervals import of_accuracy_differences

SPREAD = 0.0034  # of seeds' differences, as jobs of ten classes and 10,000 test images showed
_TIMES = 1000
_PAIRS = ((0.05, 0.0), (0.05, 0.7), (0.2, 0.3))
_JOBS, _REPEATS = 60, 3  # seeds 0 to 179, three a job; and once more 0 to 59, one a job
_NULL: dict[str, Any] = {
    "dataset": "digits",
    "teacher": {"model": "mlp", "params": {"hidden": [16]}, "training": {"epochs": 1}, "seed": 0},
    "student": {"model": "mlp", "params": {"hidden": [32], "dropout": 0.1}},
    "losses": [{"kind": "kl", "weight": 0.0001}],
    "ce_weight": 1,
    "training": {"epochs": 10, "batch_size": 64, "optimizer": {"name": "adam", "lr": 0.005}},
    "export": [],
}


def draw(
    random: np.random.Generator, seeds: int, images: int, gain: float, *, differ: float, steady: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Which images each network names right, `[R, N]`, of a pair whose true difference is `gain`.

    Some images are named right by one of the two whatever the seed, others by chance; seeds differ among themselves so
    that on 10,000 images their differences have the standard deviation `SPREAD`.

    Args:
        differ: share of images that only one of the two names right.
        steady: share of those that are the same images for every seed.
    """
    by_chance = differ * (1 - steady)
    own = np.sqrt(max(SPREAD**2 - by_chance / 10_000, 0))
    gain_R = gain + own * random.standard_normal(seeds)
    more_R = np.maximum((by_chance + gain_R) / 2, np.maximum(gain_R, 0))
    less_R = more_R - gain_R
    at_RN = random.random((seeds, images))
    chance_RN = (at_RN < more_R[:, None]).astype(int) - (at_RN >= 1 - less_R[:, None])
    side_N = np.where(random.random(images) < differ * steady, random.choice([1, -1], images), 0)
    difference_RN = torch.from_numpy(np.where(side_N != 0, side_N, chance_RN))
    return difference_RN > 0, difference_RN < 0


def words(seeds: int, images: int, gain: float, *, differ: float, steady: float, times: int) -> tuple[float, float]:
    """Shares of such pairs that are called helped and hurt."""
    random = np.random.default_rng([seeds, images, times])
    helped = hurt = 0
    for _ in range(times):
        low, high = of_accuracy_differences(*draw(random, seeds, images, gain, differ=differ, steady=steady)).interval
        helped, hurt = helped + (low > 0), hurt + (high < 0)
    return helped / times, hurt / times


def run() -> None:
    print("Pairs without a difference that are called helped or hurt, of 100 (at most 5):\n")
    print("| seeds | test images | " + " | ".join(f"{100 * d:g} % differ, {s:g} steady" for d, s in _PAIRS) + " |")
    print("|---|---|" + "---|" * len(_PAIRS))
    for seeds in (2, 3, 5):
        for images in (50, 500, 2000, 10_000):
            found = [sum(words(seeds, images, 0.0, differ=d, steady=s, times=_TIMES)) for d, s in _PAIRS]
            print(f"| {seeds} | {images:,} | " + " | ".join(f"{100 * share:.1f}" for share in found) + " |", flush=True)
    for seeds in (3, 5):
        helped, hurt = words(seeds, 10_000, 0.01, differ=0.04, steady=0.3, times=_TIMES)
        print(f"a true point, {seeds} seeds, 10,000 images: helped {100 * helped:.1f}, hurt {100 * hurt:.1f} of 100")
    logging.disable(logging.CRITICAL)
    for repeats, first in ((_REPEATS, _REPEATS), (1, 1)):
        found_words = Counter(_null_verdicts(repeats, first))
        print(f"{_JOBS} real jobs with nothing to gain, {repeats} seeds each: {dict(found_words)}", flush=True)


def _null_verdicts(repeats: int, step: int) -> list[str]:
    found: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for job in range(_JOBS):
            out = Path(folder) / f"{job}"
            options = RunOptions(out_dir=out, data_dir=out, cache_dir=Path(folder) / "cache", threads=1)
            ended = run_job(parse_spec(_NULL | {"seed": job * step, "repeats": repeats}), options)
            if ended.reason != "completed":
                raise RuntimeError(f"a job ended as {ended.reason}: {ended.detail}")
            found.append(TrainingReport.read((out / "report.json").read_text()).verdict)
    return found
