"""What can go wrong in a run.

    EngineError                 code             whose fault, and what to do
    ├── InvalidSpecError        invalid_spec     the spec asks for something that cannot be built
    ├── DataError               data_error       a data set is missing, truncated or tampered with
    ├── DivergedError           diverged         a loss became NaN or infinite; lower the learning rate
    ├── OutOfMemoryError        out_of_memory    the device has too little memory; lower the batch size
    ├── DiskFullError           disk_full        no room for a checkpoint or a result
    ├── ProcessLost             worker_lost      one of the job's processes is gone; go on from the checkpoint
    └── Interrupted             interrupted      asked to stop; a checkpoint was written, nothing is lost

`code` is what a service stores and a user reads; it never changes once published.
"""

from __future__ import annotations


def sentence(said: object) -> str:
    """What was said, with one full stop at its end: for messages that quote others."""
    text = str(said).rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


class EngineError(Exception):
    """Base of every error that a run raises on purpose. The message is written for the user."""

    code = "internal_error"


class InvalidSpecError(EngineError):
    code = "invalid_spec"


class DataError(EngineError):
    code = "data_error"


class DivergedError(EngineError):
    code = "diverged"


class OutOfMemoryError(EngineError):
    code = "out_of_memory"


class DiskFullError(EngineError):
    code = "disk_full"


class ProcessLost(EngineError):
    code = "worker_lost"


class Interrupted(EngineError):
    code = "interrupted"
