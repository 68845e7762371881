"""Writes what is known of timm's networks without timm: `kd_engine/catalog/models/timm.csv`.

    python -m kd_engine.models.timm_table [PREFIX ...]

Names and tags are those of the timm that is installed. What rows say of sizes and stages is kept; it is measured for
networks of which nothing is known, and anew for those whose names begin with a prefix: two seconds each, without
weights.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Sequence
from functools import cache
from math import gcd
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from kd_engine.catalog.models.timm import TABLE, TimmFacts, timm_facts
from kd_engine.models.timm import library
from kd_engine.models.timm_stages import patch_side, probe

# of squares; where patches are larger than a pixel, the first so many of them in a row
_SIZES = (8, 16, 24, 32, 48, 64, 96, 128, 160, 192, 224, 256, 320, 384)
_PATCHES = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 24)


def main(prefixes: list[str]) -> None:
    timm = library()
    tags: dict[str, list[str]] = {name: [] for name in timm.list_models()}
    for pretrained in timm.list_pretrained():
        name, _, tag = pretrained.partition(".")
        tags[name].extend([tag] if tag else [])
    known = timm_facts()
    with TABLE.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("name", *TimmFacts._fields))
        for name in sorted(tags):
            facts = known.get(name, TimmFacts())
            unknown = facts._replace(tags=()) == TimmFacts()
            if unknown or any(name.startswith(prefix) for prefix in prefixes):
                facts = measured(name)
            kept = facts._replace(tags=tuple(tags[name]))
            writer.writerow((name, kept.min_size, kept.patch, "" if kept.stages is None else kept.stages,
                             " ".join(kept.tags)))  # fmt: skip


def measured(name: str) -> TimmFacts:
    """The smallest side of a square that the network takes, what its sides are multiples of, how many stages it shows.

    It is tried on images without data. What changes with the size, and what was not found, is left out.
    """
    trial = _Trial(name)
    stages_at, patch = cache(trial.stages_at), trial.patch
    if patch > 1 and (shown := {stages_at(patch * count) for count in (1, 5, 7)}) and None not in shown:
        return TimmFacts(1, patch, shown.pop() if len(shown) == 1 else None)
    sizes = _SIZES if patch == 1 else [patch * count for count in _PATCHES]
    first = next((size for size in sizes if stages_at(size) is not None), None)
    if first is None:
        return TimmFacts(patch=patch)
    step = _step(stages_at, patch, first, [size for size in sizes if size >= first])
    shown = {stages_at(size) for size in (first, 4 * first)} - {None}
    return TimmFacts(
        _smallest(stages_at, first) if step == 1 else first, step, shown.pop() if len(shown) == 1 else None
    )


def _step(stages_at: Callable[[int], int | None], patch: int, first: int, sizes: Sequence[int]) -> int:
    """What sides are multiples of; the patch, unless all that fit are multiples of more, and all of those fit."""
    if all(stages_at(size) is not None for size in (first + patch, first + 3 * patch)):
        return patch
    sizes = [*sizes, *(first + patch * more for more in range(1, 8))]
    fitting = [size for size in sizes if stages_at(size) is not None]
    step = gcd(*fitting)
    return step if all(size in fitting for size in sizes if size % step == 0) else patch


def _smallest(stages_at: Callable[[int], int | None], fits: int) -> int:
    """By halving, below a size that fits and above the one tried before it."""
    too_small = max((size for size in _SIZES if size < fits), default=0)
    if too_small == 0:
        return 1  # no smaller images are to be expected
    while fits - too_small > 1:
        half = (fits + too_small) // 2
        fits, too_small = (half, too_small) if stages_at(half) is not None else (fits, half)
    return fits


class _Undrawn(TorchFunctionMode):
    """Weights without data need not be drawn, which takes most of the time that such a network is built in."""

    _DRAWS = frozenset(("normal_", "uniform_", "trunc_normal_", "erfinv_", "mul_", "add_", "clamp_", "fill_", "zero_"))

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if getattr(func, "__name__", "") in self._DRAWS and args:
            return args[0]
        return func(*args, **(kwargs or {}))


class _Trial:
    """A network without weights, tried on squares without data."""

    def __init__(self, name: str) -> None:
        config = library().get_pretrained_cfg(name)
        self._name, self._resized = name, config is not None and config.fixed_input_size
        self._network = self._built()
        self.patch = patch_side(self._network)

    def stages_at(self, size: int) -> int | None:
        """How many it shows of images of that size; None where it does not take them."""
        try:
            network = self._built(img_size=(size, size)) if self._resized else self._network
            return len(probe(network, (3, size, size)).stages)
        except Exception:  # each network of timm refuses in its own way
            return None

    def _built(self, **arguments: Any) -> nn.Module:
        with torch.device("meta"), _Undrawn():
            network: nn.Module = library().create_model(self._name, num_classes=0, **arguments)
            return network


if __name__ == "__main__":
    main(sys.argv[1:])
