"""The report: its differences against plain arithmetic, its verdict, and what it says of the teacher."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from kd_engine.jobspec import RepeatsUntil
from kd_engine.networks.cost import Cost
from kd_engine.results.report import looks_at, make_report
from kd_engine.results.result import PhaseResult
from kd_engine.schema.model_details import Latency
from kd_engine.schema.phases import PHASES, Phase
from kd_engine.schema.report import TrainingReport, report_text
from tests.kd_engine.phase_results import IMAGES, a_result
from tests.kd_engine.small_runs import DIGITS, run_spec

COST = Cost(flops=1, file_bytes=2, latency=Latency(device="cpu", threads=1, batch_1_ms=1.0, batch_128_ms=None))
COSTS: dict[Phase, Cost] = {"teacher": COST, "baseline": COST, "student": COST}
CLASSES = tuple(f"class {label}" for label in range(10))


def _three(teacher: float, alone: float, distilled: float) -> list[PhaseResult]:
    return [a_result("teacher", teacher), a_result("baseline", alone), a_result("student", distilled, nll=0.8)]


def _seeds(teacher: float, alone: Sequence[float], distilled: Sequence[float]) -> list[PhaseResult]:
    """A shared teacher, and for each seed the student alone and the distilled one."""
    students = [
        a_result(phase, right, repeat)
        for phase, all_right in (("baseline", alone), ("student", distilled))
        for repeat, right in enumerate(all_right)
    ]
    return [a_result("teacher", teacher), *students]


@pytest.mark.parametrize(
    ("alone", "distilled", "verdict"),
    [
        ((0.6, 0.61, 0.62), (0.8, 0.82, 0.81), "helped"),
        ((0.8, 0.81, 0.82), (0.6, 0.62, 0.61), "hurt"),
        ((0.70, 0.71, 0.69), (0.705, 0.70, 0.71), "no evidence"),
    ],
)
def test_verdict(alone: tuple[float, ...], distilled: tuple[float, ...], verdict: str) -> None:
    report = make_report(_seeds(0.9, alone, distilled), CLASSES, 0, COSTS)
    assert (report.verdict, report.why, report.verdict_confidence) == (verdict, "interval", 0.95)
    assert report.difference is not None
    assert report.verdict_interval == report.difference.interval
    assert "\n" not in report.summary
    assert "teacher" not in report.summary


@pytest.mark.parametrize("distilled", [0.2, 0.6, 0.95])
def test_one_seed_is_no_evidence_whatever_it_shows(distilled: float) -> None:
    report = make_report(_three(0.9, 0.6, distilled), CLASSES, 0, COSTS)
    assert (report.verdict, report.why) == ("no evidence", "one_seed")
    assert report.verdict_interval is None
    assert "another seed" in report.summary
    assert f"{100 * (distilled - 0.6):+.2f} points" in report.summary


def test_looks_spend_the_error_of_5_in_100() -> None:
    """Early on a word needs far more than the 95 % interval, and the report says so."""
    until = RepeatsUntil.model_validate({"until": {"width": 0.05}, "at_most": 10})
    results = _seeds(0.9, (0.60, 0.62, 0.64), (0.70, 0.70, 0.71))
    report = make_report(results, CLASSES, 0, COSTS, until)
    [look] = report.looks
    assert (look.seeds, look.enough) == (3, False)
    assert 0.999 < look.confidence == report.verdict_confidence
    assert report.difference is not None
    assert report.difference.interval is not None
    assert report.verdict_interval is not None
    assert report.difference.interval[0] > 0 > report.verdict_interval[0]
    assert report.verdict == "no evidence"
    assert "looks again and again" in report.summary


def test_repeats_end_at_a_word_at_a_narrow_interval_or_at_the_last() -> None:
    a_word = _seeds(0.9, (0.3, 0.3, 0.3), (0.9, 0.9, 0.9))
    open_question = _seeds(0.9, (0.60, 0.64, 0.62), (0.61, 0.63, 0.62))
    wide, narrow = ({"until": {"width": width}, "at_most": 5} for width in (0.01, 0.5))
    last = {"until": {"width": 0.01}, "at_most": 3}
    for results, asked, enough in (
        (a_word, wide, True), (open_question, wide, False), (open_question, narrow, True), (open_question, last, True),
    ):  # fmt: skip
        assert looks_at(results, RepeatsUntil.model_validate(asked))[-1].enough == enough


def test_differences_of_one_seed_are_paired_over_images() -> None:
    results = _three(0.9, 0.6, 0.8)
    report = make_report(results, CLASSES, 0, COSTS)
    assert [(row.of, row.less) for row in report.differences] == [
        ("distilled", "student alone"), ("distilled", "teacher"), ("teacher", "student alone"),
    ]  # fmt: skip
    main = report.differences[0].scores
    assert main["test_accuracy"] == report.difference
    paired = (results[2].scores.nll_N - results[1].scores.nll_N).double().numpy()
    low, high = stats.ttest_1samp(paired, 0).confidence_interval(0.95)
    assert main["test_loss"].interval == pytest.approx([low, high])
    assert main["test_ece"].mean == pytest.approx(results[2].metrics["test_ece"] - results[1].metrics["test_ece"])
    assert main["test_ece"].interval is not None
    assert main["test_ece"].interval[0] < main["test_ece"].mean < main["test_ece"].interval[1]
    assert [(name, score.kind) for name, score in main.items()] == [
        ("test_accuracy", "images"), ("test_loss", "images"), ("test_ece", "images"),
    ]  # fmt: skip


def test_repeats_are_paired_by_repeat_in_whatever_order_they_came() -> None:
    """The teachers' and the students' luck goes the same way in each repeat, and cancels in the difference."""
    results = [
        a_result(phase, base + luck, repeat)
        for repeat, luck in enumerate((0.0, 0.1, 0.2))
        for phase, base in zip(PHASES, (0.70, 0.50, 0.55), strict=True)
    ]
    report = make_report(results[::-1], CLASSES, 1, COSTS)
    for row, gap in zip(report.differences, (0.05, -0.15, 0.2), strict=True):
        assert row.scores["test_accuracy"].mean == pytest.approx(gap)
        assert row.scores["test_accuracy"].spread == pytest.approx(0, abs=1e-12)
        assert {score.kind for score in row.scores.values()} == {"seeds and images"}
    assert {details.repeat for details in report.details.values()} == {1}


def test_a_shared_teacher_is_paired_with_every_repeat() -> None:
    alone = [a_result("baseline", right, repeat) for repeat, right in enumerate((0.5, 0.52, 0.54))]
    distilled = [a_result("student", right, repeat) for repeat, right in enumerate((0.6, 0.61, 0.62))]
    report = make_report([a_result("teacher", 0.9), *alone, *distilled], CLASSES, 2, COSTS)
    gaps = [0.6 - 0.9, 0.61 - 0.9, 0.62 - 0.9]
    low, high = stats.t.interval(0.95, 2, loc=np.mean(gaps), scale=stats.sem(gaps))
    found = report.differences[1].scores["test_accuracy"]
    assert (found.mean, found.spread) == (pytest.approx(np.mean(gaps)), pytest.approx(np.std(gaps, ddof=1)))
    assert found.interval is not None
    assert found.interval[0] < low < high < found.interval[1]  # over the images as well
    assert [report.details[phase].repeat for phase in ("teacher", "baseline", "student")] == [0, 2, 2]


@pytest.mark.parametrize(("teacher", "chance"), [(0.4, False), (0.69, True)])
def test_a_teacher_that_is_worse_than_the_student_alone_is_named(teacher: float, chance: bool) -> None:
    summary = make_report(_three(teacher, 0.7, 0.7), CLASSES, 0, COSTS).summary
    assert "The teacher is worse than the student alone" in summary
    assert ("by chance" in summary) == chance


def test_without_a_baseline_nothing_is_claimed() -> None:
    report = make_report([a_result("teacher", 0.9), a_result("student", 0.8)], CLASSES, 0, COSTS)
    assert (report.verdict, report.difference) == ("not measured", None)
    assert [(row.of, row.less) for row in report.differences] == [("distilled", "teacher")]
    assert set(report.details) == {"teacher", "student"}


def test_details_have_the_table_and_the_matrix() -> None:
    details = make_report(_three(0.9, 0.6, 0.8), CLASSES, 0, COSTS).details["student"]
    assert sum(row.images for row in details.classes) == IMAGES
    assert details.confusion is not None
    assert sum(map(sum, details.confusion)) == IMAGES
    assert sum(details.confusion[label][label] for label in range(10)) == round(0.8 * IMAGES)
    assert details.trainable_parameters == 640
    assert (details.flops, details.file_bytes) == (1, 2)
    assert details.scores["teacher_kl"] is None


def test_report_text_reads_back_and_keeps_rows_on_a_line() -> None:
    report = make_report(_three(0.9, 0.6, 0.8), ("[1,\n 2]", *CLASSES[1:]), 0, COSTS)
    text = report_text(report)
    assert TrainingReport.read(text) == report
    assert sum(line.strip().startswith("[") for line in text.splitlines()) == 3 * 10  # rows of the confusion matrices


def test_the_published_details_are_those_of_the_files(tmp_path: Path) -> None:
    assert run_spec(DIGITS | {"repeats": 2}, tmp_path).reason == "completed"
    report = json.loads((tmp_path / "report.json").read_text())
    for phase, details in report["details"].items():
        assert details["file_bytes"] == (tmp_path / f"{phase}.safetensors").stat().st_size
        runs = next(row["runs"] for row in report["rows"] if row["phase"] == phase)
        own = next(run for run in runs if run["repeat"] == details["repeat"])
        assert all(own[name] == details[name] for name in ("test_accuracy", "test_top5", "test_loss", "test_ece"))
        assert details["parameters"] == details["trainable_parameters"]
        assert (details["teacher_agreement"] is None) == (phase == "teacher")
    assert report["details"]["student"]["repeat"] == report["published_repeat"]
