"""Out of memory: whether an error is for want of it; each library says that in its own way."""

from __future__ import annotations

import errno

import torch

from kd_engine.schema.errors import EngineError

# torch's CPU allocator, onnxruntime, C++ and the system raise plain errors of their own
_SAID = ("can't allocate memory", "Failed to allocate memory", "bad_alloc", "Cannot allocate memory")


def shortage_behind(error: BaseException) -> BaseException | None:
    """The error itself or the one that it was raised for, whichever is for want of memory.

    Who reads what users sent turns whatever happens there into a word on what was sent; this was not its fault.
    """
    seen: BaseException | None = error
    while seen is not None:
        if _is_shortage(seen):
            return seen
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None


def _is_shortage(error: BaseException) -> bool:
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    if isinstance(error, EngineError):  # written for the user, who may be quoted in it
        return False
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(words in str(error) for words in _SAID)
