"""The checks of a new job that need more than its spec: is the data there, and are the other jobs' networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import ValidationError

from api.http.errors import invalid_spec
from distillery.states import JobState
from jobs.errors import JobNotFound
from jobs.repository import Repository
from jobs.settings import Settings
from jobs.tables import Job
from kd_engine.jobspec import KINDS, AnySpec, DatasetSpec, JobSpec, NetworkInput
from kd_engine.jobspec.problems import FieldProblem, field_problems

WEIGHTS = "weights"  # the folder, as `kd_engine.models.weights` has it, which imports torch
# A teacher taken from a job that took its own from a job, and so on; far more links than anybody builds.
_LONGEST_CHAIN = 20


def check_data(spec: AnySpec, settings: Settings) -> None:
    """Raises Problem 422 when the data set is neither present nor can be downloaded."""
    if spec.reads is not None:
        absence = spec.reads.absence(settings.data_dir)
        if absence is not None and not (settings.download and spec.reads.row.download):
            raise invalid_spec([FieldProblem("/dataset", absence, "data_set_absent")])
    _check_weights(spec, settings.data_dir)


def _check_weights(spec: AnySpec, data_dir: Path) -> None:
    """Raises Problem 422 when a file of weights to start from is not where the data sets are."""
    for role, choice in spec.choices().items():
        name = choice.params.get("weights_file")
        if name is not None and not (data_dir / WEIGHTS / name).is_file():
            message = f"there is no file '{name}' in the folder '{WEIGHTS}' of KD_DATA_DIR; put it there first."
            raise invalid_spec([FieldProblem(f"/{role}/params/weights_file", message, "weights_absent")])


def check_webhooks(spec: AnySpec, settings: Settings) -> None:
    """Raises Problem 422 when webhooks are asked for and nothing is there to sign their messages with."""
    if spec.webhooks and settings.webhook_secret is None:
        message = "this service sends no messages to webhooks; whoever runs it has to set KD_WEBHOOK_SECRET first."
        raise invalid_spec([FieldProblem("/webhooks", message, "webhooks_not_set_up")])


def check_sources(spec: AnySpec, repository: Repository, owner: str | None) -> None:
    """Raises Problem 422 when another job's network is asked for that is not there or does not fit.

    Args:
        owner: whose jobs may be used; None: everybody's.
    """
    for source in spec.networks():
        job = _finished(source, repository, owner)
        _check_images(spec, job, source)
        _check_snapshot(job, source)
        network = _network(job, source.role, repository)
        if network is not None:
            _check_fits(spec, job, source, network)


def _finished(source: NetworkInput, repository: Repository, owner: str | None) -> Job:
    """The job that the network is of; it has succeeded and published such a network."""
    try:
        job = repository.get(source.job, owner)
    except JobNotFound as error:
        hint = f"{error}; GET /jobs?state=succeeded lists those to take a network from."
        raise _unusable(source, "job_not_found", hint) from None
    if job.state is not JobState.SUCCEEDED:
        hint = "it will never have one" if job.state.terminal else "wait until it has succeeded"
        raise _unusable(
            source, "job_not_succeeded", f"job '{job.id}' is {job.state}, so it has no network yet; {hint}."
        )
    kind = job.spec.get("kind", "distill")
    publishes = KINDS[kind].publishes if kind in KINDS else ()
    if not publishes:
        message = f"job '{job.id}' is of kind '{kind}' and trained no network; name the job that trained it."
        raise _unusable(source, "job_without_network", message)
    if source.role not in publishes:
        message = f"job '{job.id}' is of kind '{kind}'; 'model' is the role of a network that was sent, of no other."
        raise _unusable(source, "job_without_network", message)
    if source.role == "baseline" and not job.spec.get("baseline", True):
        message = f"job '{job.id}' did not train the student alone (baseline: false); take its student or teacher."
        raise _unusable(source, "job_without_network", message)
    return job


def _check_images(spec: AnySpec, job: Job, source: NetworkInput) -> None:
    """Raises where a teacher is of other images or classes; what is not known of them the run checks."""
    assert spec.reads is not None, "what asks for a network has images for it"
    try:
        facts, others = spec.reads.facts, DatasetSpec.model_validate(job.spec.get("base", job.spec)["dataset"]).facts
    except (ValidationError, KeyError):
        return  # a newer version wrote it
    if facts.task != others.task:
        message = f"is of the task {others.task}, and that of {facts.name} is {facts.task}: take one of that task."
        raise _unusable(source, "does_not_fit", f"the network of job '{job.id}' {message}")
    if not spec.choices():  # an evaluation may be of other images, which the run checks
        return
    if facts.shape is not None and others.shape is not None and facts.shape != others.shape:
        message = f"takes images {_size(others.shape)}, and those of {facts.name} are {_size(facts.shape)}"
    elif facts.classes is not None and others.classes is not None and facts.classes != others.classes:
        message = f"tells {_some(others.classes)}, and {facts.name} has {_some(facts.classes)}, in that order"
    else:
        return
    hint = "Take a teacher of this data set, or 'model' to have one trained."
    raise _unusable(source, "does_not_fit", f"the network of job '{job.id}' {message}. {hint}")


def _size(shape: tuple[int, int, int]) -> str:
    channels, height, width = shape
    return f"of {height}x{width} pixels in {channels} channel{'s' * (channels > 1)}"


def _some(classes: tuple[str, ...]) -> str:
    more = ", ..." if len(classes) > 5 else ""
    return f"{len(classes)} classes ({', '.join(classes[:5])}{more})"


def _check_snapshot(job: Job, source: NetworkInput) -> None:
    if source.role == "model":
        if source.epoch is not None:
            raise _unusable(source, "no_snapshot", "a network that was sent has no epochs; leave 'epoch' out.")
        return
    if job.kind == "sweep":
        if source.epoch is not None:
            raise _unusable(source, "no_snapshot", "of a sweep, the chosen networks are taken; leave 'epoch' out.")
        return
    recipe = job.spec["teacher"].get("training", {}) if source.role == "teacher" else job.spec["training"]
    kept = recipe.get("snapshots", [])
    if source.epoch is not None and source.epoch not in kept:
        listed = ", ".join(map(str, kept)) or "none"
        message = f"job '{job.id}' kept no {source.role} of epoch {source.epoch}; its snapshots are of: {listed}."
        raise _unusable(source, "no_snapshot", message)


def _network(job: Job, role: str, repository: Repository) -> dict[str, Any] | None:
    """Model and parameters of a job's network, or its ensemble; None where only the run can tell."""
    for _ in range(_LONGEST_CHAIN):
        if role == "model":
            return _sent_network(job)
        if job.kind == "sweep":
            return None  # which trial is chosen is in its files
        network: dict[str, Any] = job.spec["teacher" if role == "teacher" else "student"]
        if "ensemble" in network:
            return {"ensemble": network["ensemble"]}
        if "job" not in network:
            return {"model": network["model"], "params": network.get("params", {})}
        try:
            job, role = repository.get(network["job"]), network.get("role", "student")
        except JobNotFound:
            return None
    return None


def _sent_network(job: Job) -> dict[str, Any] | None:
    """Weights of a network of the catalogue; or the format of what shows no feature maps."""
    sent = job.spec
    if sent["format"] != "safetensors":
        return {"format": sent["format"]}
    return {"model": sent["model"], "params": sent["params"]} if "model" in sent else None


def _check_fits(spec: AnySpec, job: Job, source: NetworkInput, network: dict[str, Any]) -> None:
    _check_same_data(spec, job, source, network.get("params", {}))
    if "format" in network:
        _check_foreign(spec, network["format"])
        return
    if (body := spec.with_network(network)) is None:
        return
    try:
        JobSpec.model_validate(body)
    except ValidationError as error:
        first = field_problems(error, body)[0]
        message = f"the network of job '{job.id}' does not fit: {first.message}"
        raise _unusable(source, "does_not_fit", message) from None


def _check_same_data(spec: AnySpec, job: Job, source: NetworkInput, params: dict[str, Any]) -> None:
    """A network that is there keeps the classes and channels that it was trained with, whatever a spec says."""
    assert spec.reads is not None, "what asks for a network has images for it"
    facts = spec.reads.facts
    for key, has, what in (
        ("num_classes", facts.num_classes, "classes"),
        ("in_channels", facts.channels, "channels"),
    ):
        if params.get(key) is not None and has is not None and params[key] != has:
            message = (
                f"the network of job '{job.id}' is for images of {params[key]} {what}, and {spec.reads.listed_name} "
                f"has {has}; name a data set with {params[key]} {what}, or a network that was trained for {has}."
            )
            raise _unusable(source, "does_not_fit", message)


def _check_foreign(spec: AnySpec, form: str) -> None:
    """Of a network that is no more than its outputs: no feature maps; of mere logits, no other images."""
    if (refusal := spec.refusal_of_outputs(form)) is not None:
        pointer, message = refusal
        raise invalid_spec([FieldProblem(pointer, message, "does_not_fit")])


def _unusable(source: NetworkInput, code: str, message: str) -> Exception:
    return invalid_spec([FieldProblem(f"/{source.place}/job", message, code)])
