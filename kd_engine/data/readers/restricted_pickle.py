"""A reader of pickles that can build numpy arrays, lists, dicts, numbers and bytes, and nothing else."""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kd_engine.schema.errors import DataError


def _empty_array(kind: object, shape: object, code: object) -> NDArray[Any]:
    """What a pickled array starts as; numpy's own check of its state then sets shape, type and bytes."""
    return np.empty(0)


def _latin1(text: object, code: object) -> bytes:
    """How protocol 2 writes bytes from Python 3: as text of the letters 0 to 255."""
    if not isinstance(text, str) or code not in ("latin1", b"latin1"):
        raise pickle.UnpicklingError(f"it encodes something as {code!r:.20}, which no data file needs")
    return text.encode("latin1")


# numpy renamed its inner package; old pickles say `numpy.core`. `ndarray` is a mere name here: nothing can call it
ALLOWED: dict[tuple[str, str], Any] = {
    ("numpy.core.multiarray", "_reconstruct"): _empty_array,
    ("numpy._core.multiarray", "_reconstruct"): _empty_array,
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): np.dtype,
    ("_codecs", "encode"): _latin1,
}


class ArrayUnpickler(pickle.Unpickler):
    """Refuses every class and function that is not needed to rebuild an array."""

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        try:
            return ALLOWED[module_name, global_name]
        except KeyError:
            raise pickle.UnpicklingError(f"it asks for {module_name}.{global_name}, which no data file needs") from None


def load_arrays(content: bytes, path: Path) -> dict[Any, Any]:
    """The dict in a pickle of arrays; text that Python 2 wrote comes as bytes.

    Args:
        content: of the file; verify its checksum first.
        path: for messages.

    Raises:
        DataError: it is not such a pickle. No code of the pickle has run.
    """
    try:
        data = ArrayUnpickler(io.BytesIO(content), encoding="bytes").load()
    except Exception as error:  # a malformed pickle may raise anything
        raise DataError(
            f"{path} is refused: {error or type(error).__name__}. Get the publisher's file again."
        ) from error
    if not isinstance(data, dict):
        raise DataError(f"{path} holds a {type(data).__name__}; expected a dict. Get the publisher's file again.")
    return data
