"""What a run goes on from, and whether that is of the same training."""

from __future__ import annotations

import logging
from typing import Any

from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import AnySpec, JobSpec, SweepSpec, parse_spec
from kd_engine.schema.errors import DataError
from kd_engine.schema.run_request import RunOptions
from kd_engine.training.checkpoint import load_tree

log = logging.getLogger(__name__)
# What a checkpoint's spec may have otherwise: it is not of the training.
_FREE = dict.fromkeys(("name", "labels", "priority", "keep_days", "webhooks", "export"))


def checkpoint_of(spec: AnySpec, options: RunOptions) -> dict[str, Any] | None:
    """What to go on from; None where there is nothing, or where an earlier version computed otherwise.

    Half a training by one formula and half by another would be neither, so that such a job begins again.

    Raises:
        DataError: the file is not a whole checkpoint.
    """
    if options.resume_from is None:
        return None
    tree = load_tree(options.resume_from)
    if (written := tree.get("formulas", {})) != spec.formulas:
        differing = ", ".join(sorted(key for key, _ in written.items() ^ spec.formulas.items()))
        log.warning("the checkpoint is of a version that computes this otherwise: %s; beginning again.", differing)
        return None
    return tree


def check_resumable(tree: dict[str, Any], spec: JobSpec | SweepSpec, data: Dataset) -> None:
    """Raises where a checkpoint is of another training.

    Raises:
        DataError: of another spec, or of other images or labels.
    """
    if not _same_training(tree["spec"], spec):
        raise DataError("the checkpoint belongs to another spec, or to other data; start without it.")
    if tree.get("data_sha256", data.sha256) != data.sha256:  # checkpoints of earlier versions do not say it
        raise DataError(
            f"the checkpoint was written on other images or labels than those that '{spec.dataset_name}' has now; "
            "expected the same. Bring back the data as it was, or start without the checkpoint."
        )


def _same_training(written: dict[str, Any], spec: JobSpec | SweepSpec) -> bool:
    """Whether a checkpoint's spec asks for the same; an earlier version may have written fewer of the defaults."""
    earlier = parse_spec(written).to_json()
    return {**earlier, **_FREE} == {**spec.to_json(), **_FREE}
