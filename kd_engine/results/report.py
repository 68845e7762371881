"""The report: teacher, student alone and distilled side by side, with intervals and a one-line verdict."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from kd_engine.evaluation.details import network_details
from kd_engine.jobspec.repeats import RepeatsUntil
from kd_engine.networks.cost import Cost
from kd_engine.results.result import PhaseResult
from kd_engine.schema.model_details import PhaseDetails
from kd_engine.schema.phases import BASELINE, NETWORKS, PHASES, STUDENT, TEACHER, TrainedPhase
from kd_engine.schema.report import Difference, Look, NetworkRow, Run, TrainingReport
from kd_engine.statistics.interim_looks import confidences
from kd_engine.statistics.intervals import (
    CONFIDENCE,
    ONE_SEED,
    Estimate,
)
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Scores, Task

# first less second
_DIFFERENCES: tuple[tuple[TrainedPhase, TrainedPhase], ...] = (
    (STUDENT, BASELINE),
    (STUDENT, TEACHER),
    (TEACHER, BASELINE),
)
_Differences = dict[str, Estimate]


@dataclass(frozen=True)
class Verdict:
    """Whether distillation helped.

    Attributes:
        word: `helped`, `hurt`, `no evidence`, or `not measured` where the student was not trained alone.
        why: what the word rests on: `interval` (of the difference over seeds and images), `one_seed` (which can carry
            no word), `not_trained_alone`.
        confidence, interval: of the difference, as the word needs them; None where there is no such interval.
    """

    word: Literal["helped", "hurt", "no evidence", "not measured"]
    why: Literal["interval", "one_seed", "not_trained_alone"]
    confidence: float | None = None
    interval: tuple[float, float] | None = None


def make_report(
    results: list[PhaseResult],
    classes: tuple[str, ...],
    published_repeat: int,
    costs: dict[TrainedPhase, Cost],
    until: RepeatsUntil | None = None,
) -> TrainingReport:
    """The report of what was trained; `publish` adds what else is known of the run.

    Args:
        results: every finished phase of the job.
        published_repeat: whose networks are among the artifacts.
        costs: of the published networks.
        until: what ended the repeats, where their number was left open.
    """
    found = {phase: of_phase for phase in PHASES if (of_phase := _of(results, phase))}
    pairs = [pair for pair in _DIFFERENCES if set(pair) <= set(found)]
    differences = {pair: _differences(*(found[phase] for phase in pair)) for pair in pairs}
    task = task_of(results)
    main = differences.get((STUDENT, BASELINE))
    verdict = verdict_of(results, until)
    return TrainingReport(
        task=task.name,
        metrics=task.metrics,
        verdict=verdict.word,
        why=verdict.why,
        verdict_confidence=verdict.confidence,
        verdict_interval=verdict.interval,
        summary=_summary(verdict, differences, task),
        rows=tuple(_row(phase, of_phase) for phase, of_phase in found.items()),
        difference=None if main is None else main[task.compared[0]].documented(),
        differences=tuple(_difference_row(pair, measured, task) for pair, measured in differences.items()),
        seeds=len(found[STUDENT]),
        looks=() if until is None else tuple(looks_at(results, until)),
        details={phase: _details(published(results, phase, published_repeat), costs[phase]) for phase in found},
        classes=classes,
        published_repeat=published_repeat,
    )


def task_of(results: list[PhaseResult]) -> Task:
    """The task of a job's networks."""
    return load_task(results[0].network.architecture.task)


def published(results: list[PhaseResult], phase: TrainedPhase, repeat: int) -> PhaseResult:
    """The phase's result in `repeat`; the only one where all repeats share it, as a teacher.

    Raises:
        KeyError: the job had no such phase.
    """
    by_repeat = {result.repeat: result for result in _of(results, phase)}
    if not by_repeat:
        raise KeyError(phase)
    return by_repeat.get(repeat, by_repeat[0])


def verdict_of(results: list[PhaseResult], until: RepeatsUntil | None = None) -> Verdict:
    """The verdict on the seeds that there are."""
    students, alone = _of(results, STUDENT), _of(results, BASELINE)
    if not alone:
        return Verdict("not measured", "not_trained_alone")
    if len(students) == 1:
        return Verdict("no evidence", "one_seed")
    confidence = CONFIDENCE if until is None else confidences(until.looks)[len(students)]
    interval = _gain(students, alone, confidence).interval
    word: Literal["helped", "hurt", "no evidence"]
    word = "helped" if interval[0] > 0 else "hurt" if interval[1] < 0 else "no evidence"
    return Verdict(word, "interval", confidence, interval)


def looks_at(results: list[PhaseResult], until: RepeatsUntil) -> list[Look]:
    """What was seen after each number of seeds at which the intervals are looked at."""
    students, alone = _of(results, STUDENT), _of(results, BASELINE)
    found = []
    for seeds in until.looks:
        if seeds > len(students):
            break
        usual = _gain(students[:seeds], alone[:seeds], CONFIDENCE).interval
        confidence = confidences(until.looks)[seeds]
        interval = _gain(students[:seeds], alone[:seeds], confidence).interval
        word = interval[0] > 0 or interval[1] < 0
        enough = word or usual[1] - usual[0] <= until.until.width or seeds == until.at_most
        found.append(Look(seeds=seeds, interval=usual, confidence=confidence, verdict_interval=interval, enough=enough))
    return found


def _of(results: list[PhaseResult], phase: TrainedPhase) -> list[PhaseResult]:
    return sorted((result for result in results if result.phase == phase), key=lambda result: result.repeat)


def _gain(students: list[PhaseResult], alone: list[PhaseResult], confidence: float) -> Estimate:
    return _stacked(students).less(_stacked(alone), task_of(students).compared[0], confidence)


def _stacked(found: list[PhaseResult]) -> Scores:
    scores = [result.scores for result in found]
    return type(scores[0]).stacked(scores)


def _row(phase: TrainedPhase, found: list[PhaseResult]) -> NetworkRow:
    first, task = found[0], task_of(found)
    return NetworkRow(
        network=NETWORKS[phase],
        phase=phase,
        model=first.network.architecture.model,
        parameters=first.network.parameters,
        source=first.source,
        seeds=len(found),
        scores={task.metrics[0].key("test"): _stacked(found).estimate(task.compared[0]).documented()},
        runs=tuple(
            Run(repeat=result.repeat, seed=result.seed, source=result.source, scores=dict(result.metrics))
            for result in found
        ),
    )


def _details(result: PhaseResult, cost: Cost) -> PhaseDetails:
    measured = network_details(result.network, result.scores, result.metrics, cost, result.trainable)
    return PhaseDetails(network=NETWORKS[result.phase], repeat=result.repeat, **dict(measured))


def _difference_row(pair: tuple[TrainedPhase, TrainedPhase], measured: _Differences, task: Task) -> Difference:
    first, second = (NETWORKS[phase] for phase in pair)
    keys = {metric.name: metric.key("test") for metric in task.metrics}
    scores = {keys[name]: estimate.documented() for name, estimate in measured.items()}
    return Difference(of=first, less=second, scores=scores)


def _differences(first: list[PhaseResult], second: list[PhaseResult]) -> _Differences:
    """First less second over seeds and test images, each repeat paired with itself.

    A teacher that all repeats share is paired with each of them.
    """
    repeats = sorted({result.repeat for result in (*first, *second)})
    one, other = (
        _stacked([published(found, found[0].phase, repeat) for repeat in repeats]) for found in (first, second)
    )
    return {name: one.less(other, name) for name in task_of(first).compared}


def _summary(verdict: Verdict, differences: dict[tuple[TrainedPhase, TrainedPhase], _Differences], task: Task) -> str:
    if verdict.word == "not measured":
        return "The student was not trained alone (baseline: false), so nobody knows whether distillation helped."
    main, label = task.compared[0], task.metrics[0].label
    gain = differences[STUDENT, BASELINE][main]
    sentences = [_first_sentence(verdict, gain, label)]
    if _contradicts(verdict, gain):
        assert verdict.confidence is not None, "it was decided by an interval"
        sentences.append(
            f"After so few of the seeds that were allowed a word needs the {100 * verdict.confidence:.4g} % interval, "
            "and that one holds 0: whoever looks again and again finds a difference in the end."
        )
    teacher = differences[TEACHER, BASELINE][main]
    if teacher.mean < 0:
        unsure = "" if teacher.interval[1] < 0 else " may be by chance, but"
        sentences.append(
            "The teacher is worse than the student alone: teacher less alone is "
            f"{_points(teacher, label)}; that{unsure} leaves little to learn from it."
        )
    return " ".join(sentences)


def _first_sentence(verdict: Verdict, gain: Estimate, label: str) -> str:
    if verdict.why == "one_seed":
        return (
            f"One seed is no evidence that distillation helped or hurt: on these images distilled less alone was "
            f"{_points(gain, label)}, and how much another seed would have changed it was not measured."
        )
    words = {
        "helped": "Distillation helped",
        "hurt": "Distillation hurt",
        "no evidence": "There is no evidence that distillation helped or hurt",
    }[verdict.word]
    return f"{words}: distilled less alone is {_points(gain, label)}."


def _contradicts(verdict: Verdict, gain: Estimate) -> bool:
    """Whether the usual interval leaves 0 out, and the one that several looks need does not."""
    return verdict.word == "no evidence" and gain.kind != ONE_SEED and not gain.interval[0] <= 0 <= gain.interval[1]


def _points(difference: Estimate, label: str) -> str:
    low, high = (100 * bound for bound in difference.interval)
    return (
        f"{100 * difference.mean:+.2f} points of test {label} "
        f"(95 % interval {low:+.2f} to {high:+.2f}, over {difference.kind})"
    )
