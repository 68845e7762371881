"""What a spec asks for that can be done, and hardly can be meant: between silence and a refusal. No torch.

Whoever describes, records or runs a job asks `kinds.warnings_of`, so that all say the same. What only the data or
the machine can tell, the run adds to it when it starts. A new kind is a function here, in `_KINDS`, or a part of
the run's own, and its code is in `CODES`.
"""

from __future__ import annotations

from collections.abc import Iterator

from kd_engine.catalog import Facts
from kd_engine.jobspec.distill import JobSpec
from kd_engine.jobspec.training import TrainingSpec
from kd_engine.optim.schedules import MultiStep
from kd_engine.schema.warnings import SpecWarning

# what each code says, as the table in docs/spec.md has it
CODES = {
    "warm_up_too_long": "a rate, or a loss's weight, still rises when the training ends",
    "milestone_not_reached": "the training ends before the rate falls there",
    "milestone_in_warm_up": "the rate falls while it still rises",
    "nothing_distilled": "every loss has the weight 0",
    "one_step_an_epoch": "all images to train on fit into one batch",
    "batch_of_one": "BatchNorm sees one image at a time",
    "nothing_to_compare": "a loss that compares the images of a batch, and batches of one",
    "two_classes": "a part of a loss says nothing on two classes",
    "idle_devices": "a batch has fewer images than there are devices",
    "maps_of_one_pixel": "some of the feature maps that a loss compares are too small to say anything",
    "more_devices_than_cores": "more processes train on the worker's CPU than it has cores",
}


def distillation_warnings(spec: JobSpec, facts: Facts) -> Iterator[SpecWarning]:
    """All that is to be said of a resolved spec, in the order of the kinds of warning."""
    for kind in _KINDS:
        yield from kind(spec, facts)


def _warm_ups(spec: JobSpec, facts: Facts) -> Iterator[SpecWarning]:
    """Rates that never reach what `lr` says."""
    for at, recipe in _recipes(spec):
        warm_up, epochs = recipe.schedule.warmup_epochs, recipe.epochs
        if warm_up >= epochs:
            yield SpecWarning(
                code="warm_up_too_long",
                pointer=f"{at}/schedule/warmup_epochs",
                message=f"the learning rate still rises when the training of {epochs} epochs ends: it never goes above "
                f"{epochs / warm_up:.0%} of the full rate, and the schedule never begins. Take a warm-up of fewer "
                "epochs, or more epochs.",
            )


def _milestones(spec: JobSpec, facts: Facts) -> Iterator[SpecWarning]:
    for at, recipe in _recipes(spec):
        schedule = recipe.schedule
        for position, milestone in enumerate(schedule.milestones if isinstance(schedule, MultiStep) else ()):
            pointer = f"{at}/schedule/milestones/{position}"
            if milestone >= recipe.epochs:
                message = (
                    f"the training has {recipe.epochs} epochs and never reaches the milestone {milestone}: the rate "
                    "does not fall there. Take an earlier one, or more epochs."
                )
                yield SpecWarning(code="milestone_not_reached", pointer=pointer, message=message)
            elif milestone < schedule.warmup_epochs:
                message = (
                    f"the milestone {milestone} lies in the warm-up of {schedule.warmup_epochs:g} epochs: the rate "
                    "only rises to what is left of it there. Take a later one, or a shorter warm-up."
                )
                yield SpecWarning(code="milestone_in_warm_up", pointer=pointer, message=message)


def _loss_warm_ups(spec: JobSpec, facts: Facts) -> Iterator[SpecWarning]:
    epochs = spec.training.epochs
    for position, loss in enumerate(spec.objective()[0]):
        if loss.warmup_epochs >= epochs:
            yield SpecWarning(
                code="warm_up_too_long",
                pointer=f"/losses/{position}/warmup_epochs",
                message=f"the weight of '{loss.kind}' still rises when the training of {epochs} epochs ends: it never "
                f"goes above {epochs / loss.warmup_epochs:.0%} of {loss.weight:g}. Take a warm-up of fewer epochs, or "
                "more epochs.",
            )


def _nothing_distilled(spec: JobSpec, facts: Facts) -> Iterator[SpecWarning]:
    losses, _ = spec.objective()
    if all(loss.weight == 0 for loss in losses):
        message = "every loss has the weight 0: the teacher teaches nothing, and the student is one trained alone."
        yield SpecWarning(code="nothing_distilled", pointer="/losses", message=message)


def _whole_batches(spec: JobSpec, facts: Facts) -> Iterator[SpecWarning]:
    held_out = spec.dataset.held_out(facts.train)
    if facts.train is None or held_out is None:
        return
    images = facts.train - held_out
    for at, recipe in _recipes(spec):
        if recipe.batch_size >= images:
            yield SpecWarning(
                code="one_step_an_epoch",
                pointer=f"{at}/batch_size",
                message=f"all {images} images to train on go into one batch: an epoch is one step, and the training of "
                f"{recipe.epochs} epochs has as many steps. Take a smaller batch_size, or many more epochs.",
            )


def _batches_of_one(spec: JobSpec, facts: Facts) -> Iterator[SpecWarning]:
    for at, recipe in _recipes(spec):
        if recipe.batch_size == 1:
            message = (
                "BatchNorm sees one image at a time: what a network learns of its statistics is not what it is tested "
                "with. Take a batch_size of some 16 or more, or a network without BatchNorm."
            )
            yield SpecWarning(code="batch_of_one", pointer=f"{at}/batch_size", message=message)
    if spec.training.batch_size > 1:
        return
    for position, loss in enumerate(spec.objective()[0]):
        if not loss.separable:
            message = (
                f"'{loss.kind}' compares the images of a batch with each other, and each batch has one. Take more."
            )
            yield SpecWarning(code="nothing_to_compare", pointer=f"/losses/{position}", message=message)


def _two_classes(spec: JobSpec, facts: Facts) -> Iterator[SpecWarning]:
    if facts.row_size != 2:
        return
    for position, loss in enumerate(spec.objective()[0]):
        if (problem := loss.weak_on_two_classes()) is not None:
            yield SpecWarning(code="two_classes", pointer=f"/losses/{position}", message=problem)


def _idle_devices(spec: JobSpec, facts: Facts) -> Iterator[SpecWarning]:
    devices = spec.resources.devices
    for at, recipe in _recipes(spec):
        if recipe.batch_size < devices:
            message = (
                f"a batch of {recipe.batch_size} images leaves {devices - recipe.batch_size} of {devices} devices "
                "without any. Take a larger batch_size, or fewer devices."
            )
            yield SpecWarning(code="idle_devices", pointer=f"{at}/batch_size", message=message)


def _recipes(spec: JobSpec) -> Iterator[tuple[str, TrainingSpec]]:
    """Where in the spec, and the recipe."""
    if spec.teacher.training is not None:
        yield "/teacher/training", spec.teacher.training
    yield "/training", spec.training


_KINDS = (
    _warm_ups,
    _milestones,
    _loss_warm_ups,
    _nothing_distilled,
    _whole_batches,
    _batches_of_one,
    _two_classes,
    _idle_devices,
)
