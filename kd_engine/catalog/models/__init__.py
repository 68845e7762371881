"""The networks that the engine can build: a factory and one row each, by family. No torch.

A new network is a factory in `kd_engine/models/` and a row in `ROWS` of one of these files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from kd_engine.catalog.models import cifar, simple
from kd_engine.catalog.models.base import ModelParams, ModelRow
from kd_engine.catalog.models.timm import TIMM, timm_row

__all__ = ["MODELS", "TIMM", "ModelParams", "ModelRow"]


class Models(Mapping[str, ModelRow]):
    """Rows by name. Walks over the networks that have a row of their own; `timm/NAME` is looked up, never listed."""

    def __init__(self, rows: tuple[ModelRow, ...]) -> None:
        self._rows = {row.name: row for row in rows}

    def __getitem__(self, name: str) -> ModelRow:
        row = self._rows.get(name) or timm_row(name)
        if row is None:
            raise KeyError(name)
        return row

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


MODELS = Models((*simple.ROWS, *cifar.ROWS))
