"""Wake-ups: the names of task and queues on both sides of the broker: the api sends them, a worker answers.

A queue for each device that a job may ask for: a worker hears the rings for its own device and those for any.
"""

from __future__ import annotations

from typing import Literal

TASK = "distillery.run_job"
QUEUE = "jobs"
DEVICES: tuple[Literal["cpu", "cuda"], ...] = ("cpu", "cuda")


def queue_for(device: str) -> str:
    """Where to ring for a job that asks for this device: `auto`, `cpu` or `cuda`."""
    return f"{QUEUE}.{device}" if device in DEVICES else QUEUE


def heard_by(device: str) -> tuple[str, ...]:
    """The queues that a worker with this device listens to."""
    return QUEUE, queue_for(device)
