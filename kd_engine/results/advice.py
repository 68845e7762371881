"""What a job has measured that explains a verdict of no gain, and what to try next.

Shapes: B images in a batch, K classes, R rows that a loss of logits compares, C numbers in each.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import ValidationError
from torch import Tensor

from kd_engine.jobspec import JobSpec, RepeatsUntil
from kd_engine.losses import Outputs
from kd_engine.networks.outputs import SplitLogits
from kd_engine.results.report import published, task_of
from kd_engine.results.result import PhaseResult
from kd_engine.results.seed_spread import ASSUMED_SPREAD, SeedSpreads, repeats_needed
from kd_engine.schema.phases import BASELINE, NETWORKS, PHASES, TEACHER
from kd_engine.schema.report import Explanation, TrainingReport
from kd_engine.tasks.base import Task

_TOO_SURE = 0.95  # mean of the largest probability at T: what is left says next to nothing of the other classes
_TOO_SOFT = 0.98  # entropy at T over its maximum: every class looks alike
_FULL = 0.99  # agreement with the teacher that the student alone reaches
_STILL_RISING = 0.9  # of the epochs: the best one lies in the last tenth
_SHARP = 0.01  # a half-width of the images' part above a point hides most gains that were ever published
_TEMPERATURES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0)


@dataclass(frozen=True)
class _Reason:
    """An `Explanation`, and what to change in the spec, as paths of keys and values; nothing where no spec mends it."""

    code: str
    message: str
    measured: dict[str, float | int | str | None]
    changes: tuple[tuple[tuple[str | int, ...], Any], ...] = ()


def advice(
    spec: JobSpec, report: TrainingReport, results: list[PhaseResult], spreads: SeedSpreads, data_sha256: str
) -> tuple[tuple[Explanation, ...], dict[str, Any] | None]:
    """`explanations` and `next_spec` for the report: none where distillation helped or was not compared.

    Args:
        spec: resolved.
        report: of `report.make_report`.
        spreads: what like jobs saw; a job of several seeds leaves its own there.
    """
    difference = report.difference
    if difference is not None and difference.spread is not None:
        spreads.keep(spec, data_sha256, difference.spread, report.seeds)
    if report.verdict not in ("no evidence", "hurt"):
        return (), None
    repeat = report.published_repeat
    teacher, alone, student = (published(results, phase, repeat) for phase in PHASES)
    found = [
        *_one_seed(report, spreads.find(spec, data_sha256), alone, student),
        *_teacher_no_better(spec, report),
        *_temperature(spec, teacher.logits, task_of(results)),
        *_agreement(alone),
        *_under_trained(spec, student),
        *_few_images(alone, student),
    ]
    changes = [change for one in found for change in one.changes] or _otherwise(spec, report)
    explanations = tuple(Explanation(code=one.code, message=one.message, measured=one.measured) for one in found)
    return explanations, _changed(spec, changes)


def _one_seed(report: TrainingReport, seen: float | None, alone: PhaseResult, student: PhaseResult) -> list[_Reason]:
    if report.why != "one_seed":
        return []
    assert report.difference is not None, "it was compared"
    gain, spread = report.difference.mean, ASSUMED_SPREAD if seen is None else seen
    source = "as is assumed where no job of several seeds was run" if seen is None else "as in like jobs run here"
    needed = repeats_needed(gain, spread, _error_of_images(alone, student))
    settle = (
        f"about {needed} repeats would settle it"
        if needed
        else "not even 100 repeats would settle so small a difference"
    )
    message = (
        f"One seed: the interval knows of the test images alone. If a seed moves the difference by {100 * spread:.2f} "
        f"points ({source}), {settle}."
    )
    measured: dict[str, float | int | str | None]
    measured = {"difference": gain, "seed_spread": spread, "repeats_needed": needed}
    return [_Reason("one_seed", message, measured, ((("repeats",), "auto"),))]


def _teacher_no_better(spec: JobSpec, report: TrainingReport) -> list[_Reason]:
    row = next(row for row in report.differences if (row.of, row.less) == (NETWORKS[TEACHER], NETWORKS[BASELINE]))
    gap = row.scores[report.main].mean
    if gap > 0:
        return []
    message = (
        f"The teacher is no better than the student alone ({100 * gap:+.2f} points): train it longer, or take a "
        "stronger one."
    )
    training = spec.teacher.training
    longer = [] if training is None else [(("teacher", "training", "epochs"), 2 * training.epochs)]
    return [_Reason("teacher_no_better", message, {"teacher_less_alone": gap}, tuple(longer))]


def _temperature(spec: JobSpec, logits: SplitLogits, task: Task) -> list[_Reason]:
    losses, _ = spec.objective()
    at = next((place for place, loss in enumerate(losses) if hasattr(loss, "temperature")), None)
    if at is None:
        return []
    asked: float = losses[at].temperature  # type: ignore[attr-defined]
    sure, soft = _sharpness(logits, task, asked)
    measured: dict[str, float | int | str | None] = {
        "temperature": asked, "mean_largest_probability": sure, "relative_entropy": soft
    }  # fmt: skip
    path = ("losses", at, "temperature")
    if sure > _TOO_SURE:
        warmer = next(
            (t for t in _TEMPERATURES if t > asked and _sharpness(logits, task, t)[0] < 0.8), _TEMPERATURES[-1]
        )
        message = (
            f"At T = {asked:g} the teacher gives its first class {sure:.3f} on average: its targets are little more "
            f"than labels. T = {warmer:g} shows what it thinks of the others."
        )
        return [_Reason("teacher_too_sure", message, measured, ((path, warmer),) if warmer > asked else ())]
    if soft > _TOO_SOFT:
        colder = [t for t in _TEMPERATURES if t < asked and _sharpness(logits, task, t)[1] < 0.9]
        message = (
            f"At T = {asked:g} the teacher's targets are all but even over the classes ({soft:.3f} of the largest "
            "entropy): there is little in them to learn."
        )
        return [_Reason("teacher_too_soft", message, measured, ((path, colder[-1]),) if colder else ())]
    return []


@torch.inference_mode()
def _sharpness(logits: SplitLogits, task: Task, temperature: float) -> tuple[float, float]:
    """Of the teacher's softened answers on the test images: the mean of the largest probability, and the mean entropy
    over the largest there could be.
    """
    largest, entropy, rows, numbers = 0.0, 0.0, 0, 2
    for start in logits.starts():
        logits_BK = logits.batch(start)
        answers, _ = task.rows(Outputs(logits_BK), logits.split.labels_N[start : start + len(logits_BK)])
        log_p_RC: Tensor = (answers.logits_BK.double() / temperature).log_softmax(dim=1)
        rows, numbers = rows + len(log_p_RC), log_p_RC.shape[1]
        largest += float(log_p_RC.amax(dim=1).exp().sum())
        entropy -= float((log_p_RC.exp() * log_p_RC).sum())
    return largest / rows, entropy / rows / math.log(numbers)


def _agreement(alone: PhaseResult) -> list[_Reason]:
    agreement = alone.metrics.get("teacher_agreement", 0.0)
    if agreement < _FULL:
        return []
    message = (
        f"The student alone already answers as the teacher does on {100 * agreement:.1f} % of the test images: there "
        "is next to nothing left to take over. Try a smaller student, or a stronger teacher."
    )
    return [_Reason("agreement_full", message, {"agreement": agreement})]


def _under_trained(spec: JobSpec, student: PhaseResult) -> list[_Reason]:
    epochs, best = spec.training.epochs, student.metrics.get("best_epoch", 0.0)
    if epochs < 2 or best <= _STILL_RISING * epochs:
        return []
    message = (
        f"The distilled student was best after epoch {best:.0f} of {epochs}: it was still learning when its budget "
        "ended. A student taught by a softer signal needs longer."
    )
    change = ((("training", "epochs"), 2 * epochs),)
    return [_Reason("student_under_trained", message, {"best_epoch": int(best), "epochs": epochs}, change)]


def _few_images(alone: PhaseResult, student: PhaseResult) -> list[_Reason]:
    images, half = len(student.logits.split), 1.96 * _error_of_images(alone, student)
    if half <= _SHARP:
        return []
    enough = math.ceil(images * (half / _SHARP) ** 2)
    message = (
        f"{images:,} test images alone leave ±{100 * half:.1f} points, however many seeds there are; about {enough:,} "
        "would show a difference of one point."
    )
    return [_Reason("few_test_images", message, {"test_images": images, "images_needed": enough})]


def _error_of_images(alone: PhaseResult, student: PhaseResult) -> float:
    """Standard error of the difference over test images, as one seed shows it."""
    return student.scores.error_over_images(alone.scores)


def _otherwise(spec: JobSpec, report: TrainingReport) -> list[tuple[tuple[str | int, ...], Any]]:
    """Where nothing explains it: less of the teacher if it hurt, more seeds if it could not be told."""
    if report.verdict == "hurt":
        losses, ce_weight = spec.objective()
        halved = [(("losses", at, "weight"), loss.weight / 2) for at, loss in enumerate(losses)]
        return [*halved, (("ce_weight",), max(ce_weight, 0.5))]
    at_most = min(100, 3 * report.seeds)
    return [(("repeats",), {"until": {"width": 0.01}, "at_most": max(10, at_most)})]


def _changed(spec: JobSpec, changes: Sequence[tuple[tuple[str | int, ...], Any]]) -> dict[str, Any] | None:
    """The resolved spec with the changes, and with several seeds, since one shows nothing; None if it may not be so."""
    body = spec.to_json()
    for path, value in changes:
        here: Any = body
        for key in path[:-1]:
            here = here[key]
        here[path[-1]] = value
    if not isinstance(spec.repeats, RepeatsUntil) and spec.repeats < 3 and body["repeats"] == spec.repeats:
        body["repeats"] = "auto"
    try:
        return JobSpec.model_validate(body).to_json()
    except ValidationError:  # twice as many epochs, say, as a job may have: what was measured is worth more than advice
        return None
