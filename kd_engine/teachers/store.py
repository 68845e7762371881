"""A teacher's logits on disk, one row for each sample and each view of it, filled as the views come up.

Shapes: N samples, V views of each, K classes, R rows asked for.

The rows lie in a sparse memory-mapped file that all jobs with the same teacher share. Which rows are filled is a second
file, written only after the rows themselves were flushed: after a crash a row may be missing, never wrong.
"""

from __future__ import annotations

import fcntl
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from kd_engine.platform.files import write_atomically

log = logging.getLogger(__name__)
_TYPES: dict[str, tuple[np.dtype[Any], torch.dtype]] = {
    "float16": (np.dtype(np.float16), torch.float16),
    "float32": (np.dtype(np.float32), torch.float32),
}


class LogitStore:
    """Logits `[N * V, K]` under one name.

    Args:
        name: the hash of all that the logits depend on.
        storage: `float16` or `float32`.
    """

    def __init__(self, folder: Path, name: str, *, samples: int, views: int, classes: int, storage: str) -> None:
        self._numpy_type, self.dtype = _TYPES[storage]
        self.views = views
        rows = samples * views
        folder.mkdir(parents=True, exist_ok=True)
        self._filled_path = folder / f"{name}.filled"
        path = folder / f"{name}.logits"
        with self._locked():
            if not path.exists() or path.stat().st_size != rows * classes * self._numpy_type.itemsize:
                self._filled_path.unlink(missing_ok=True)
                with path.open("wb") as file:
                    file.truncate(rows * classes * self._numpy_type.itemsize)
            self._map = np.memmap(path, dtype=self._numpy_type, mode="r+", shape=(rows, classes))
            self._filled = torch.from_numpy(self._read_filled(rows))
        self._rows = torch.from_numpy(self._map)

    @property
    def filled(self) -> int:
        """How many rows are there."""
        return int(self._filled.sum())

    @property
    def share(self) -> float:
        """The share of all rows that is there, 0 to 1."""
        return self.filled / len(self._filled)

    def missing(self, rows_R: Tensor) -> Tensor:
        """Positions in `rows_R` whose row is not there yet."""
        return (~self._filled[rows_R]).nonzero().squeeze(1)

    def get(self, rows_R: Tensor) -> Tensor:
        """float32 logits `[R, K]` of rows that are there."""
        return self._rows[rows_R].float()

    def holds(self, logits_RK: Tensor) -> bool:
        """Whether the storage's type has room for such numbers; float16 ends at 65,504."""
        return bool((logits_RK.abs() <= torch.finfo(self.dtype).max).all())

    def put(self, rows_R: Tensor, logits_RK: Tensor) -> None:
        """Adds rows; they outlive a crash from the next `flush` on."""
        self._rows[rows_R] = logits_RK.to(self.dtype)
        self._filled[rows_R] = True

    def forget(self) -> None:
        """Drops all rows, as when they turned out not to be this teacher's."""
        self._filled.zero_()
        with self._locked():
            self._filled_path.unlink(missing_ok=True)

    def flush(self) -> None:
        """Makes the rows survive, then says that they are there; joins what other jobs filled in the meantime."""
        self._map.flush()
        with self._locked():
            self._filled |= torch.from_numpy(self._read_filled(len(self._filled)))
            write_atomically(self._filled_path, np.packbits(self._filled.numpy()).tobytes())

    def _read_filled(self, rows: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
        try:
            packed = np.frombuffer(self._filled_path.read_bytes(), np.uint8)
        except FileNotFoundError:
            return np.zeros(rows, np.bool_)
        if len(packed) != -(-rows // 8):
            return np.zeros(rows, np.bool_)
        return np.unpackbits(packed, count=rows).astype(np.bool_)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._filled_path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
