"""kd_engine: a job spec in, a trained student out.

The library knows nothing of the web, of queues or of databases. `run` is the way in. Read `jobspec/distill.py` (what is
asked), `runs/work.py` (what happens), `training/trainer.py` (the one training loop) and `losses/kl.py` (what a method
looks like).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kd_engine.jobspec import JobSpec
    from kd_engine.networks.network import load_network
    from kd_engine.runs.entry import run
    from kd_engine.schema.run_request import RunOptions

__all__ = ["JobSpec", "RunOptions", "load_network", "run"]

_HOMES = {
    "JobSpec": "kd_engine.jobspec",
    "RunOptions": "kd_engine.schema.run_request",
    "load_network": "kd_engine.networks.network",
    "run": "kd_engine.runs.entry",
}


def __getattr__(name: str) -> Any:
    """Imports what is asked for, and torch only with what needs it.

    Raises:
        MissingExtra: that is not installed; the message says how it is.
    """
    if name not in _HOMES:
        raise AttributeError(f"module 'kd_engine' has no attribute {name!r}")
    from importlib import import_module

    from kd_engine.schema.extras import engine_extra

    with engine_extra(f"kd_engine.{name}"):
        return getattr(import_module(_HOMES[name]), name)
