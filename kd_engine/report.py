"""The report: teacher, student alone and distilled side by side, with intervals and a one-line verdict."""

from __future__ import annotations

from typing import Any

from kd_engine.evaluation.cost import Cost
from kd_engine.evaluation.details import network_details
from kd_engine.events import PHASES, Phase
from kd_engine.result import PhaseResult
from kd_engine.statistics import (
    Estimate,
    of_accuracy,
    of_paired_calibration,
    of_paired_difference,
    of_paired_means,
    over_seeds,
)

NAMES: dict[Phase, str] = {"teacher": "teacher", "baseline": "student alone", "student": "distilled"}
# first less second
_DIFFERENCES: tuple[tuple[Phase, Phase], ...] = (
    ("student", "baseline"),
    ("student", "teacher"),
    ("teacher", "baseline"),
)
_METRICS = {"accuracy": "test_accuracy", "nll": "test_loss", "ece": "test_ece"}
_Differences = dict[str, Estimate]


def make_report(
    results: list[PhaseResult], classes: tuple[str, ...], published_repeat: int, costs: dict[Phase, Cost]
) -> dict[str, Any]:
    """The report as JSON data.

    Args:
        results: every finished phase of the job.
        published_repeat: whose networks are among the artifacts.
        costs: of the published networks.
    """
    found = {phase: of_phase for phase in PHASES if (of_phase := _of(results, phase))}
    pairs = [pair for pair in _DIFFERENCES if set(pair) <= set(found)]
    differences = {pair: _differences(*(found[phase] for phase in pair)) for pair in pairs}
    main = differences.get(("student", "baseline"))
    verdict = _verdict(None if main is None else main["accuracy"])
    return {
        "verdict": verdict,
        "summary": _summary(verdict, differences),
        "rows": [_row(phase, of_phase) for phase, of_phase in found.items()],
        "difference": None if main is None else main["accuracy"].to_json(),
        "differences": [_difference_row(pair, measured) for pair, measured in differences.items()],
        "details": {phase: _details(published(results, phase, published_repeat), costs[phase]) for phase in found},
        "classes": list(classes),
        "published_repeat": published_repeat,
    }


def published(results: list[PhaseResult], phase: Phase, repeat: int) -> PhaseResult:
    """The phase's result in `repeat`; the only one where all repeats share it, as a teacher.

    Raises:
        KeyError: the job had no such phase.
    """
    by_repeat = {result.repeat: result for result in _of(results, phase)}
    if not by_repeat:
        raise KeyError(phase)
    return by_repeat.get(repeat, by_repeat[0])


def _of(results: list[PhaseResult], phase: Phase) -> list[PhaseResult]:
    return [result for result in results if result.phase == phase]


def _row(phase: Phase, found: list[PhaseResult]) -> dict[str, Any]:
    first = found[0]
    return {
        "network": NAMES[phase],
        "phase": phase,
        "model": first.network.architecture.model,
        "parameters": first.network.parameters,
        "source": first.source,
        "seeds": len(found),
        "test_accuracy": _accuracy(found).to_json(),
        "runs": [
            {"repeat": result.repeat, "seed": result.seed, "source": result.source, **result.metrics}
            for result in found
        ],
    }


def _details(result: PhaseResult, cost: Cost) -> dict[str, Any]:
    measured = network_details(result.network, result.outcomes, result.metrics, cost, result.trainable)
    return {"network": NAMES[result.phase], "repeat": result.repeat, **measured}


def _accuracy(found: list[PhaseResult]) -> Estimate:
    if len(found) > 1:
        return over_seeds([result.metrics["test_accuracy"] for result in found])
    correct_N = found[0].outcomes.correct
    return of_accuracy(int(correct_N.sum()), len(correct_N))


def _difference_row(pair: tuple[Phase, Phase], measured: _Differences) -> dict[str, Any]:
    first, second = (NAMES[phase] for phase in pair)
    return {"of": first, "less": second, **{name: estimate.to_json() for name, estimate in measured.items()}}


def _differences(first: list[PhaseResult], second: list[PhaseResult]) -> _Differences:
    """First less second: over seeds, each repeat paired with itself, or over the same test images of a single seed.

    A teacher that all repeats share is paired with each of them.
    """
    repeats = sorted({result.repeat for result in (*first, *second)})
    pairs = [tuple(published(found, found[0].phase, repeat) for found in (first, second)) for repeat in repeats]
    if len(pairs) > 1:
        return {
            name: over_seeds([one.metrics[metric] - other.metrics[metric] for one, other in pairs])
            for name, metric in _METRICS.items()
        }
    one, other = (result.outcomes for result in pairs[0])
    one_N, other_N = one.correct, other.correct
    return {
        "accuracy": of_paired_difference(int((one_N & ~other_N).sum()), int((other_N & ~one_N).sum()), len(one_N)),
        "nll": of_paired_means(one.nll_N, other.nll_N),
        "ece": of_paired_calibration((one.confidence_N, one_N), (other.confidence_N, other_N)),
    }


def _verdict(difference: Estimate | None) -> str:
    if difference is None:
        return "not measured"
    low, high = difference.interval
    return "helped" if low > 0 else "hurt" if high < 0 else "no evidence"


def _summary(verdict: str, differences: dict[tuple[Phase, Phase], _Differences]) -> str:
    if verdict == "not measured":
        return "The student was not trained alone (baseline: false), so nobody knows whether distillation helped."
    words = {
        "helped": "Distillation helped",
        "hurt": "Distillation hurt",
        "no evidence": "There is no evidence that distillation helped or hurt",
    }[verdict]
    gain = _points(differences["student", "baseline"]["accuracy"])
    sentences = [f"{words}: distilled less alone is {gain}."]
    teacher = differences["teacher", "baseline"]["accuracy"]
    if teacher.mean < 0:
        unsure = "" if teacher.interval[1] < 0 else " may be by chance, but"
        sentences.append(
            f"The teacher is worse than the student alone: teacher less alone is {_points(teacher)}; that{unsure} "
            "leaves little to learn from it."
        )
    return " ".join(sentences)


def _points(difference: Estimate) -> str:
    low, high = (100 * bound for bound in difference.interval)
    return (
        f"{100 * difference.mean:+.2f} points of test accuracy "
        f"(95 % interval {low:+.2f} to {high:+.2f}, over {difference.kind})"
    )
