"""What a user's program imports: a client of the service, and the models of its answers. No torch, no database.

from distillery import Distillery
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from distillery.client import Dataset, Distillery, Job, Model

__all__ = ["Dataset", "Distillery", "Job", "Model"]


def __getattr__(name: str) -> Any:
    """Imports the client with the first of its names: the service uses the models of answers alone."""
    if name not in __all__:
        raise AttributeError(f"module 'distillery' has no attribute {name!r}")
    import distillery.client

    return getattr(distillery.client, name)
