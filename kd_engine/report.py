"""The report: teacher, student alone and distilled side by side, with intervals and a one-line verdict."""

from __future__ import annotations

from typing import Any

from kd_engine.events import PHASES, Phase
from kd_engine.result import PhaseResult
from kd_engine.statistics import Estimate, of_accuracy, of_paired_difference, over_seeds

NAMES: dict[Phase, str] = {"teacher": "teacher", "baseline": "student alone", "student": "distilled"}


def make_report(results: list[PhaseResult], classes: tuple[str, ...], published_repeat: int) -> dict[str, Any]:
    """The report as JSON data.

    Args:
        results: every finished phase of the job.
        published_repeat: whose networks are among the artifacts.
    """
    rows = [_row(phase, found) for phase in PHASES if (found := _of(results, phase))]
    difference = _difference(_of(results, "student"), _of(results, "baseline"))
    return {
        "verdict": _verdict(difference),
        "summary": _summary(difference),
        "rows": rows,
        "difference": None if difference is None else difference.to_json(),
        "classes": list(classes),
        "published_repeat": published_repeat,
    }


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
        "runs": [{"repeat": result.repeat, "seed": result.seed, **result.metrics} for result in found],
    }


def _accuracy(found: list[PhaseResult]) -> Estimate:
    if len(found) > 1:
        return over_seeds([result.metrics["test_accuracy"] for result in found])
    correct_N = found[0].correct_N
    return of_accuracy(int(correct_N.sum()), len(correct_N))


def _difference(distilled: list[PhaseResult], alone: list[PhaseResult]) -> Estimate | None:
    """Distilled less alone: over seeds, each seed paired with itself, or over the same test images of a single seed."""
    if not alone or not distilled:
        return None
    if len(distilled) > 1:
        return over_seeds(
            [
                one.metrics["test_accuracy"] - other.metrics["test_accuracy"]
                for one, other in zip(distilled, alone, strict=True)
            ]
        )
    one_N, other_N = distilled[0].correct_N.bool(), alone[0].correct_N.bool()
    return of_paired_difference(int((one_N & ~other_N).sum()), int((other_N & ~one_N).sum()), len(one_N))


def _verdict(difference: Estimate | None) -> str:
    if difference is None:
        return "not measured"
    low, high = difference.interval
    return "helped" if low > 0 else "hurt" if high < 0 else "no evidence"


def _summary(difference: Estimate | None) -> str:
    if difference is None:
        return "The student was not trained alone (baseline: false), so nobody knows whether distillation helped."
    low, high = (100 * bound for bound in difference.interval)
    words = {
        "helped": "Distillation helped",
        "hurt": "Distillation hurt",
        "no evidence": "There is no evidence that distillation helped or hurt",
    }[_verdict(difference)]
    return (
        f"{words}: distilled less alone is {100 * difference.mean:+.2f} points of test accuracy "
        f"(95 % interval {low:+.2f} to {high:+.2f}, over {difference.kind})."
    )
