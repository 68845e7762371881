"""The report of a sweep: a row a trial, the chosen one, and verdicts that know how many were looked at."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Literal

from kd_engine.jobspec.sweep import Trial
from kd_engine.results.result import PhaseResult
from kd_engine.schema.report import TrainingReport
from kd_engine.schema.sweep_report import SeedRun, SharedRow, SweepReport, TrialRow, Word
from kd_engine.statistics.intervals import Estimate
from kd_engine.statistics.multiple_comparisons import Comparison, PairedDifference, compare
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Scores, Task


@dataclass(frozen=True)
class TrialOutcome:
    """What became of a trial.

    Attributes:
        students: of each repeat, in order; of a trial that diverged, none.
        failure: why there are none.
        control, teacher: what names the networks that it is compared with and learned from; trials that share them
            have equal ones.
        alone, teachers: these networks, of each repeat; one teacher where all repeats share it. No `alone` where these
            diverged.
    """

    trial: Trial
    control: Hashable
    teacher: Hashable
    students: Sequence[PhaseResult] = ()
    failure: str = ""
    alone: Sequence[PhaseResult] = ()
    teachers: Sequence[PhaseResult] = ()

    @property
    def results(self) -> list[PhaseResult]:
        """As those of a job of its own."""
        return [*self.teachers, *self.alone, *self.students]

    @property
    def best(self) -> PhaseResult:
        """The student that does best on validation; the first of equals."""
        task = _task_of(self)
        return max(self.students, key=lambda result: task.rank(result.metrics))


@dataclass(frozen=True)
class Compared:
    """A trial less its control.

    Attributes:
        comparison: None where there is nothing to compare.
    """

    difference: Estimate | None = None
    comparison: Comparison | None = None

    @property
    def word(self) -> Word:
        return "not measured" if self.comparison is None else self.comparison.word


def by_validation(outcomes: Sequence[TrialOutcome]) -> list[TrialOutcome]:
    """The trials that have students, best on the validation split first, over their seeds; equals as they came."""
    done = [outcome for outcome in outcomes if outcome.students]

    def rank(outcome: TrialOutcome) -> tuple[float, float]:
        metrics = [result.metrics for result in outcome.students]
        keys = [key for key in metrics[0] if key.startswith("val_")]
        return _task_of(outcome).rank({key: fmean(one[key] for one in metrics) for key in keys})

    return sorted(done, key=rank, reverse=True)


def compared(outcomes: Sequence[TrialOutcome]) -> list[Compared]:
    """Every trial with its control, all as one family; those that diverged count in it."""
    pairs = {place: _paired(one) for place, one in enumerate(outcomes) if one.students and one.alone}
    found = compare(list(pairs.values()), failed=len(outcomes) - len(pairs))
    comparisons = dict(zip(pairs, found, strict=True))
    return [
        Compared(_difference(one), comparisons[place]) if place in pairs else Compared()
        for place, one in enumerate(outcomes)
    ]


def make_sweep_report(
    outcomes: Sequence[TrialOutcome], published: TrainingReport, files: Mapping[int, str], paths: Sequence[str]
) -> SweepReport:
    """The report.

    Args:
        outcomes: of all trials, by number; some have students.
        published: of the chosen trial, as a job's.
        files: each trial's network among the artifacts, by number.
        paths: what the trials differ in.
    """
    chosen, against = by_validation(outcomes)[0], compared(outcomes)
    verdicts = [one.word for one in against]
    place = next(place for place, outcome in enumerate(outcomes) if outcome is chosen)
    seeds = len(chosen.students)
    why: Literal["corrected", "one_seed", "no_control"]
    why = "no_control" if against[place].comparison is None else "one_seed" if seeds == 1 else "corrected"
    task = _task_of(chosen)
    return SweepReport(
        task=task.name,
        metrics=task.metrics,
        summary=_summary(chosen, against[place], verdicts, task),
        chosen=chosen.trial.number,
        verdict=verdicts[place],
        why=why,
        counts=dict(Counter(verdicts)),
        seeds=seeds,
        paths=tuple(paths),
        trials=tuple(_row(*pair, files) for pair in zip(outcomes, against, strict=True)),
        controls=_shared(outcomes, {outcome.control: outcome.alone for outcome in outcomes}, "control"),
        teachers=_shared(outcomes, {outcome.teacher: outcome.teachers for outcome in outcomes}, "teacher"),
        details=published.details,
        classes=published.classes,
        published_repeat=published.published_repeat,
        warnings=published.warnings,
        names=published.names,
        duplicates=published.duplicates,
        export=published.export,
    )


def _row(outcome: TrialOutcome, against: Compared, files: Mapping[int, str]) -> TrialRow:
    number, spec = outcome.trial.number, outcome.trial.spec
    common = {"number": number, "values": dict(outcome.trial.values), "model": spec.student.model}
    if not outcome.students:
        return TrialRow(**common, state="diverged", detail=outcome.failure, verdict=against.word)
    task = _task_of(outcome)
    main, key = task.compared[0], task.metrics[0].key("val")
    comparison = against.comparison
    return TrialRow(
        **common,
        state="succeeded",
        parameters=outcome.students[0].network.parameters,
        validation=fmean(result.metrics[key] for result in outcome.students),
        scores={task.metrics[0].key("test"): _stacked(outcome.students).estimate(main).documented()},
        difference=None if against.difference is None else against.difference.documented(),
        p_value=None if comparison is None else comparison.p_value,
        corrected_p_value=None if comparison is None else comparison.corrected,
        verdict=against.word,
        runs=_runs(outcome.students),
        published_repeat=outcome.best.repeat,
        file=files.get(number),
    )


def _shared(
    outcomes: Sequence[TrialOutcome], networks: Mapping[Hashable, Sequence[PhaseResult]], what: str
) -> tuple[SharedRow, ...]:
    rows = []
    for name, results in networks.items():
        if results:
            task = load_task(results[0].network.architecture.task)
            estimate = _stacked(results).estimate(task.compared[0]).documented()
            rows.append(
                SharedRow(
                    model=results[0].network.architecture.model,
                    parameters=results[0].network.parameters,
                    scores={task.metrics[0].key("test"): estimate},
                    runs=_runs(results),
                    trials=tuple(one.trial.number for one in outcomes if getattr(one, what) == name),
                )
            )
    return tuple(rows)


def _runs(results: Sequence[PhaseResult]) -> tuple[SeedRun, ...]:
    return tuple(
        SeedRun(repeat=result.repeat, seed=result.seed, source=result.source, scores=dict(result.metrics))
        for result in results
    )


def _paired(outcome: TrialOutcome) -> PairedDifference:
    task = _task_of(outcome)
    key = task.metrics[0].key("test")
    by_seed = [
        one.metrics[key] - other.metrics[key] for one, other in zip(outcome.students, outcome.alone, strict=True)
    ]
    error = _stacked(outcome.students).error_over_images(_stacked(outcome.alone))
    return PairedDifference(by_seed, error, outcome.control)


def _difference(outcome: TrialOutcome) -> Estimate:
    return _stacked(outcome.students).less(_stacked(outcome.alone), _task_of(outcome).compared[0])


def _stacked(results: Sequence[PhaseResult]) -> Scores:
    scores = [result.scores for result in results]
    return type(scores[0]).stacked(scores)


def _task_of(outcome: TrialOutcome) -> Task:
    return load_task(outcome.students[0].network.architecture.task)


def _summary(chosen: TrialOutcome, against: Compared, verdicts: Sequence[Word], task: Task) -> str:
    values = ", ".join(f"{path} = {json.dumps(value)}" for path, value in chosen.trial.values.items())
    label = task.metrics[0].label
    first = f"Of {len(verdicts)} trials, trial {chosen.trial.number}"
    first += f" ({values})" if values else ""
    first += " does best on the validation split"
    if against.difference is None or against.comparison is None:
        return f"{first}. Its student could not be trained alone, so nobody knows whether distillation helped."
    low, high = (100 * bound for bound in against.difference.interval)
    gain = (
        f"{100 * against.difference.mean:+.2f} points of test {label} over the student alone (95 % interval "
        f"{low:+.2f} to {high:+.2f}, over {against.difference.kind})"
    )
    if len(chosen.students) == 1:
        return f"{first}: {gain}. One seed is no evidence that distillation helped or hurt: give 'repeats'."
    word = {"helped": "it helped", "hurt": "it hurt", "no evidence": "no evidence that it helped or hurt"}[against.word]
    counts = Counter(verdicts)
    return (
        f"{first}: {gain}. After {len(verdicts)} looks p = {against.comparison.corrected:.2g}: {word}. Of all trials "
        f"{counts['helped']} helped and {counts['hurt']} hurt."
    )
