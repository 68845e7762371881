"""What a plain `pip install distillery` leaves out, named where it is missed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class MissingExtra(ImportError):
    """A package is not installed that comes with an extra of `distillery`; the message says which extra."""


@contextmanager
def engine_extra(wanted_by: str) -> Iterator[None]:
    """Around the imports of what trains and measures, which needs PyTorch and its kin.

    Raises:
        MissingExtra: one of their packages is not installed. A missing module of this project's own stays what it is.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "kd_engine"):
            raise
        raise MissingExtra(
            f"{wanted_by} needs {package}, which is not installed: pip install 'distillery[engine]'", name=error.name
        ) from error
