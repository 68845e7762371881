"""Specs that name what was sent: data sets, with what their check found, and networks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from api.http.errors import Problem, invalid_spec
from distillery.states import JobState
from jobs.artifacts import ArtifactStore
from jobs.errors import DatasetNotFound, ModelNotFound
from jobs.ids import is_dataset_id, is_model_id
from jobs.repository import Repository, Sent
from jobs.tables import Job, SentDataset, SentModel
from kd_engine.catalog import PREPARED, UPLOADED
from kd_engine.catalog.tasks import IMAGE_CLASSIFICATION
from kd_engine.jobspec.problems import FieldProblem
from kd_engine.schema.errors import sentence
from kd_engine.schema.manifest import Manifest

MANIFEST = "manifest.json"
_FREE: tuple[Literal["height", "width"], ...] = ("height", "width")


def manifest_of(dataset: Sent[SentDataset], repository: Repository, store: ArtifactStore) -> Manifest | None:
    """The manifest of a data set that is ready; None before."""
    if dataset.job.state is not JobState.SUCCEEDED:
        return None
    listed = repository.artifact(dataset.job.id, MANIFEST)
    return Manifest.read(b"".join(store.read(listed.key)))


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

    Only `height` and `width`, and `channels` of pictures, are the user's to say. What a resolved spec says of the rest
    is not believed: nobody but the check knows what a file holds.

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
        if known["layout"] == "arrays":
            _check_size(known, params)
        free = (*_FREE, "channels") if manifest.layout == "image_folder" else _FREE
        known |= {key: value for key, value in params.items() if key in free or key not in known}
    return body | {"dataset": asked | {"name": UPLOADED, "params": known}}


def _check_size(known: dict[str, Any], asked: dict[str, Any]) -> None:
    """Arrays are taken as they are: another size is none of theirs."""
    for side in _FREE:
        if asked.get(side, known[side]) != known[side]:
            message = (
                f"the data set's images are {known['height']} x {known['width']} pixels (height x width), and arrays "
                "are taken as they are: leave height and width out, or send them in the size that they are to have."
            )
            raise _unusable("does_not_fit", message, f"/dataset/params/{side}")


def _ready(dataset_id: str, repository: Repository, owner: str | None) -> Sent[SentDataset]:
    try:
        dataset = repository.dataset(dataset_id, owner)
    except DatasetNotFound as error:
        raise _unusable("dataset_not_found", f"{error}; GET /datasets lists those to use.") from None
    _check_ready(dataset.row, "data set", dataset.job, "/dataset")
    return dataset


def _check_ready(row: SentDataset | SentModel, what: str, job: Job, pointer: str) -> None:
    if job.state is JobState.SUCCEEDED:
        return
    hint = (
        f"its check has ended as {job.state}: {job.end_detail}"
        if job.state.terminal
        else f"its check is {job.state}; wait until it has succeeded (GET /jobs/{job.id}?wait=30)"
    )
    code = "dataset_not_ready" if what == "data set" else "model_not_ready"
    called = f"'{row.name}' ({row.id})" if row.name else f"'{row.id}'"
    raise _unusable(code, f"the {what} {called} is not ready: {sentence(hint)}", pointer)


def _known(dataset_id: str, dataset: Sent[SentDataset], manifest: Manifest, repository: Repository) -> dict[str, Any]:
    layout = manifest.layout
    height, width = manifest.default_size
    if layout == "arrays":
        height, width = (int(manifest.sizes[side].median) for side in _FREE)
    own = manifest.splits.get("validation")  # of checks since data sets may bring one
    more: dict[str, Any] = {} if own is None else {"validation": own.images}
    if manifest.task != IMAGE_CLASSIFICATION:
        more["task"] = manifest.task
    return more | {
        "id": dataset_id,
        "height": height,
        "width": width,
        "sha256": repository.artifact(dataset.job.id, PREPARED[layout]).sha256,
        "layout": layout,
        "channels": manifest.channels,
        "classes": list(manifest.classes),
        "train": manifest.splits["train"].images,
    }


def _unusable(code: str, message: str, pointer: str = "/dataset") -> Problem:
    return invalid_spec([FieldProblem(pointer, message, code)])


def with_models(body: dict[str, Any], find: Callable[[str], Sent[SentModel]]) -> dict[str, Any]:
    """The body with each `"mdl_..."` as the network of the job that it stands for.

    A model may be named where a network of a job may: as `teacher`, among its `ensemble`, and as `model` of an
    evaluation; as a text, or as the object's `model`.

    Args:
        find: the model of this id; raises ModelNotFound. Not asked where none is named.

    Raises:
        Problem: 422; there is no such model, or it is not ready.
    """
    changed = {key: _with_model(body[key], f"/{key}", find) for key in ("teacher", "model") if key in body}
    return body | changed


def _with_model(entry: Any, pointer: str, find: Callable[[str], Sent[SentModel]]) -> Any:
    if isinstance(entry, dict) and isinstance(entry.get("ensemble"), list):
        members = [
            _with_model(member, f"{pointer}/ensemble/{place}", find) for place, member in enumerate(entry["ensemble"])
        ]
        return entry | {"ensemble": members}
    name = entry.get("model") if isinstance(entry, dict) else entry
    if not isinstance(name, str) or not is_model_id(name):
        return entry
    try:
        sent = find(name)
    except ModelNotFound as error:
        raise _unusable("model_not_found", f"{error}; GET /models lists those to use.", pointer) from None
    _check_ready(sent.row, "model", sent.job, pointer)
    others = {key: value for key, value in entry.items() if key != "model"} if isinstance(entry, dict) else {}
    return others | {"job": sent.job.id, "role": sent.row.role or "model"}
