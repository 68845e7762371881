"""What a check found out about a data set that was sent, and specs that name such a data set."""

from __future__ import annotations

import json
from typing import Any

from api.errors import Problem, invalid_spec
from jobs.artifacts import ArtifactStore
from jobs.errors import DatasetNotFound
from jobs.ids import is_dataset_id
from jobs.repository import Dataset, Repository
from jobs.states import JobState
from kd_engine.catalog import PREPARED, UPLOADED
from kd_engine.explain import FieldProblem

MANIFEST = "manifest.json"
_FREE = ("height", "width")


def manifest_of(dataset: Dataset, repository: Repository, store: ArtifactStore) -> dict[str, Any] | None:
    """The manifest of a data set that is ready; None before."""
    if dataset.job.state is not JobState.SUCCEEDED:
        return None
    listed = repository.artifact(dataset.job.id, MANIFEST)
    with store.open(listed.key) as file:
        manifest: dict[str, Any] = json.load(file)
    return manifest


def sent_dataset(body: dict[str, Any]) -> str | None:
    """The id of the data set that a spec's body names, where it is one that was sent.

    It is written as `"ds_..."` or `{"name": "ds_..."}`; a resolved spec has it among the parameters of `uploaded`.
    """
    asked = body.get("dataset")
    name = asked.get("name") if isinstance(asked, dict) else asked
    if name == UPLOADED and isinstance(asked, dict) and isinstance(asked.get("params"), dict):
        name = asked["params"].get("id")
    return name if isinstance(name, str) and is_dataset_id(name) else None


def with_dataset(
    body: dict[str, Any], dataset_id: str, repository: Repository, store: ArtifactStore, owner: str | None
) -> dict[str, Any]:
    """The body with all that is known of the data set: the entry `uploaded` of the catalogue with its parameters.

    Only `height` and `width` are the user's to say. What a resolved spec says of the rest is not believed: nobody but
    the check knows what a file holds.

    Raises:
        Problem: 422; there is no such data set, or it is not ready.
    """
    dataset = _ready(dataset_id, repository, owner)
    manifest = manifest_of(dataset, repository, store)
    assert manifest is not None, "it is ready"
    asked = body["dataset"] if isinstance(body["dataset"], dict) else {}
    params = asked.get("params") or {}
    known = _known(dataset_id, dataset, manifest, repository)
    if isinstance(params, dict):
        known |= {key: value for key, value in params.items() if key in _FREE or key not in known}
    return body | {"dataset": asked | {"name": UPLOADED, "params": known}}


def _ready(dataset_id: str, repository: Repository, owner: str | None) -> Dataset:
    try:
        dataset = repository.dataset(dataset_id, owner)
    except DatasetNotFound as error:
        raise _unusable("dataset_not_found", f"{error}; GET /datasets lists those to use.") from None
    if dataset.job.state is not JobState.SUCCEEDED:
        hint = (
            f"its check has ended as {dataset.job.state}: {dataset.job.end_detail}"
            if dataset.job.state.terminal
            else f"its check is {dataset.job.state}; wait until it has succeeded (GET /datasets/{dataset_id})"
        )
        raise _unusable("dataset_not_ready", f"the data set '{dataset_id}' is not ready: {hint}.")
    return dataset


def _known(dataset_id: str, dataset: Dataset, manifest: dict[str, Any], repository: Repository) -> dict[str, Any]:
    layout = manifest["layout"]
    height, width = manifest["default_size"]
    if layout == "arrays":
        height, width = (int(manifest["sizes"][side]["median"]) for side in _FREE)
    return {
        "id": dataset_id,
        "height": height,
        "width": width,
        "sha256": repository.artifact(dataset.job.id, PREPARED[layout]).sha256,
        "layout": layout,
        "channels": manifest["channels"],
        "classes": manifest["classes"],
        "train": manifest["splits"]["train"]["images"],
    }


def _unusable(code: str, message: str) -> Problem:
    return invalid_spec([FieldProblem("/dataset", message, code)])
