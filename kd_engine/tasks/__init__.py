"""What a network is trained to answer, a folder a task. Nothing outside of a task's folder and row knows its name.

base      what every task is
evaluate  the one loop that measures answers on a split
means     scores for tasks whose metrics are all means over images
"""

from __future__ import annotations

from kd_engine.catalog.tasks import TASKS
from kd_engine.schema.importing import load_object
from kd_engine.tasks.base import Task


def load_task(name: str) -> Task:
    """The task of a row of the catalogue."""
    task: Task = load_object(TASKS[name].task)()
    return task
