"""How much a difference varies from seed to seed: what earlier jobs on this machine saw, and what to assume before any.

From it follows how many repeats would settle a difference that one seed has shown.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from scipy.special import ndtri, stdtrit

from kd_engine.jobspec import JobSpec, canonical_hash
from kd_engine.platform.files import write_atomically

ASSUMED_SPREAD = 0.005
"""Half a point. Ten classes of 1,000 to 10,000 test images gave .2 to .8 points in the tables of docs/results.md."""
_POWER = 0.8
_MOST_REPEATS = 100


class SeedSpreads:
    """The standard deviations over seeds of distilled less alone, in accuracy, kept for jobs of the same student, data
    and number of epochs.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def find(self, spec: JobSpec, data_sha256: str) -> float | None:
        """The spread of like jobs; None before there were any."""
        kept = self._read(self._file(spec, data_sha256))
        seeds = sum(one["seeds"] - 1 for one in kept.values())
        squares = sum((one["seeds"] - 1) * one["spread"] ** 2 for one in kept.values())
        return math.sqrt(squares / seeds) if seeds else None

    def keep(self, spec: JobSpec, data_sha256: str, spread: float, seeds: int) -> None:
        """Notes what a job of several seeds has seen; the same job again replaces it."""
        file = self._file(spec, data_sha256)
        asked = spec.model_dump(mode="json", include={"teacher", "losses", "ce_weight", "seed"})
        kept = {**self._read(file), canonical_hash(asked): {"spread": spread, "seeds": seeds}}
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(kept, indent=1))

    def _file(self, spec: JobSpec, data_sha256: str) -> Path:
        student = spec.student.model_dump(mode="json")
        return self._folder / f"{canonical_hash([student, data_sha256, spec.training.epochs])[:32]}.json"

    @staticmethod
    def _read(file: Path) -> Mapping[str, Any]:
        with suppress(OSError, ValueError):  # a cache: what cannot be read is not there
            kept: Mapping[str, Any] = json.loads(file.read_text())
            return kept
        return {}


def repeats_needed(difference: float, spread: float, error_of_images: float) -> int | None:
    """How many seeds make the 95 % interval of such a difference leave 0 out in four of five jobs.

    Args:
        difference: as it was seen.
        spread: standard deviation over seeds.
        error_of_images: standard error over the test images, which no number of seeds makes smaller.

    Returns:
        2 to 100; None where not even 100 would do.
    """
    for seeds in range(2, _MOST_REPEATS + 1):
        half = math.hypot(stdtrit(seeds - 1, 0.975) * spread / math.sqrt(seeds), ndtri(0.975) * error_of_images)
        luck = float(ndtri(_POWER)) * math.hypot(spread / math.sqrt(seeds), error_of_images)
        if abs(difference) >= half + luck:
            return seeds
    return None
