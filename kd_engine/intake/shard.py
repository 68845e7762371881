"""One file of a table that may lie in several."""

from __future__ import annotations

from dataclasses import dataclass

from kd_engine.intake.split_names import Split

LABELS = ("label", "labels", "class", "target", "fine_label")
"""What columns of labels are called, and folders that stand for such a column."""
SPLIT = "split"


@dataclass(frozen=True, slots=True)
class Shard:
    """
    Attributes:
        name: as its sender calls it; empty where there is but one file.
        split: of all of its rows, where its name says it.
        label: of all of its rows, where its folder says it.
    """

    path: str
    name: str = ""
    split: Split | None = None
    label: str | int | None = None
