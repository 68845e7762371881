"""Writes what is known of timm's networks without timm: `kd_engine/catalog/models/timm.csv`.

    python -m kd_engine.models.timm_table [PREFIX ...]

Names and tags are those of the timm that is installed. What rows say of sizes and stages is kept; it is measured anew
for networks whose names begin with a prefix, a second each.
"""

from __future__ import annotations

import csv
import sys
from functools import partial
from typing import Any

import torch

from kd_engine.catalog.models.timm import TABLE, TimmFacts, timm_facts
from kd_engine.models.timm import library
from kd_engine.models.timm_stages import patch_side, probe

_SIZES = (8, 16, 24, 32, 48, 64, 96, 128)


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
            anew = any(name.startswith(prefix) for prefix in prefixes)
            facts = measured(name) if anew else known.get(name, TimmFacts())
            kept = facts._replace(tags=tuple(tags[name]))
            writer.writerow((name, kept.min_size, kept.patch, "" if kept.stages is None else kept.stages,
                             " ".join(kept.tags)))  # fmt: skip


def measured(name: str) -> TimmFacts:
    """The smallest side of a square that the network takes, the side of its patches, and how many stages it shows.

    It is tried on images without data. What changes with the size, and what was not found, is left out.
    """
    found = {size: _probed(name, size) for size in _SIZES}
    fitting = {size: probed for size, probed in found.items() if probed is not None}
    if not fitting:
        return TimmFacts()
    first = min(fitting)
    patch, stages = fitting[first][0], {shown for _, shown in fitting.values()}
    smallest = _smallest(partial(_probed, name), first) if patch == 1 else 1
    return TimmFacts(smallest, patch, stages.pop() if len(stages) == 1 else None)


def _smallest(takes: Any, fits: int) -> int:
    """By halving, below a size that fits and above the one tried before it."""
    too_small = max((size for size in _SIZES if size < fits), default=0)
    if too_small == 0:
        return 1  # no smaller images are to be expected
    while fits - too_small > 1:
        half = (fits + too_small) // 2
        fits, too_small = (half, too_small) if takes(half) is not None else (fits, half)
    return fits


def _probed(name: str, size: int) -> tuple[int, int] | None:
    timm = library()
    config = timm.get_pretrained_cfg(name)
    sized = {"img_size": (size, size)} if config is not None and config.fixed_input_size else {}
    try:
        with torch.device("meta"):
            network = timm.create_model(name, num_classes=0, **sized)
            return patch_side(network), len(probe(network, (3, size, size)).stages)
    except Exception:  # each network of timm refuses in its own way
        return None


if __name__ == "__main__":
    main(sys.argv[1:])
