"""Which names a user may give to what is sent: none that a spec takes for something else."""

from __future__ import annotations

from collections.abc import Container

from jobs.ids import is_dataset_id, is_job_id, is_model_id


def own_name(name: str, known: Container[str], what: str) -> str:
    """A name for what is sent; raises ValueError where a spec could not call it so."""
    if name in known or is_dataset_id(name) or is_model_id(name) or is_job_id(name):
        reason = f"the name of a {what} of the catalogue" if name in known else "written as an id is"
        raise ValueError(f"it is {reason}, and specs that say it mean that; choose another")
    return name
