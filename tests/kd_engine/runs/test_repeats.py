"""Repeats that go on until the answer is sharp: as written, as run, as resumed; and what the report advises then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from kd_engine.jobspec import JobSpec, RepeatsUntil, parse_spec
from kd_engine.runs.plan_runner import CHECKPOINT_FILE
from kd_engine.statistics.interim_looks import confidences
from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec

UNTIL: dict[str, Any] = DIGITS | {"repeats": {"until": {"width": 0.5}, "at_most": 5}}


def _report(out: Path) -> dict[str, Any]:
    report: dict[str, Any] = json.loads((out / "report.json").read_text())
    return report


def test_auto_is_short_for_a_width_of_a_point_and_ten_seeds() -> None:
    short = JobSpec.model_validate(DIGITS | {"repeats": "auto"})
    long = JobSpec.model_validate(DIGITS | {"repeats": {"until": {"width": 0.01}, "at_most": 10}})
    assert short == long
    assert short.to_json()["repeats"] == {"until": {"width": 0.01}, "at_most": 10}
    assert JobSpec.model_validate(short.resolved().to_json()) == short.resolved()
    assert short.planned_epochs == JobSpec.model_validate(DIGITS | {"repeats": 10}).planned_epochs


@pytest.mark.parametrize(
    ("repeats", "words"),
    [
        ("often", '"auto"'), ({"at_most": 2}, "greater than or equal to 3"), ({"until": {"width": 0}}, "than 0"),
        ({"untill": {}}, "did you mean 'until'"), (0, "greater than or equal to 1"), ([3], "valid integer"),
    ],
)  # fmt: skip
def test_repeats_that_cannot_be(repeats: object, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        JobSpec.model_validate(DIGITS | {"repeats": repeats})


def test_until_needs_the_student_alone() -> None:
    with pytest.raises(ValidationError, match="need the student alone"):
        JobSpec.model_validate(DIGITS | {"repeats": "auto", "baseline": False})


@pytest.mark.parametrize(("at_most", "looks"), [(3, (3,)), (4, (3, 4)), (10, (3, 5, 7, 10)), (12, (3, 5, 7, 10, 12))])
def test_the_looks_spend_5_in_100_between_them(at_most: int, looks: tuple[int, ...]) -> None:
    levels = confidences(RepeatsUntil(at_most=at_most).looks)
    assert tuple(levels) == looks
    assert sum(1 - level for level in levels.values()) == pytest.approx(0.05)


def test_the_first_looks_spend_next_to_nothing() -> None:
    """2 - 2 Phi(1.96 / sqrt(t)) at t = .3, .5, .7 and 1, from a table of the normal distribution."""
    spent = np.cumsum([1 - level for level in confidences((3, 5, 7, 10)).values()])
    assert spent == pytest.approx([0.00035, 0.00557, 0.01914, 0.05], abs=2e-5)


def test_a_run_ends_when_its_interval_is_narrow_also_when_it_is_resumed(tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    recorder = Recorder()
    assert run_spec(UNTIL, whole, recorder).reason == "completed"
    assert len(recorder.of("phase_ended")) == 1 + 2 * 3
    report = _report(whole)
    assert (report["seeds"], [look["seeds"] for look in report["looks"]]) == (3, [3])
    assert "the best of 0 to 2" in (whole / "MODEL_CARD.md").read_text()

    stops, checkpoint = 0, None
    while (ended := run_spec(UNTIL, cut, Recorder(stop_after=6), resume_from=checkpoint)).reason == "interrupted":
        checkpoint, stops = cut / CHECKPOINT_FILE, stops + 1
    assert ended.reason == "completed", ended.detail
    assert stops >= 3
    assert _report(cut)["looks"] == report["looks"]


def test_without_a_gain_the_report_says_why_and_what_to_try(tmp_path: Path) -> None:
    """A teacher of two epochs, one seed, a short budget, 360 test images."""
    assert run_spec(DIGITS, tmp_path / "one").reason == "completed"
    report = _report(tmp_path / "one")
    found = {one["code"]: one for one in report["explanations"]}
    assert {"one_seed", "student_under_trained", "few_test_images"} <= set(found)
    assert "is assumed" in found["one_seed"]["message"]
    assert found["few_test_images"]["measured"]["test_images"] == 360
    following = parse_spec(report["next_spec"])
    assert isinstance(following, JobSpec)
    assert (following.repeats, following.training.epochs) == (RepeatsUntil(), 4)


def test_a_later_job_knows_how_far_seeds_lie_apart(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert run_spec(DIGITS | {"repeats": 3}, tmp_path / "three", cache_dir=cache).reason == "completed"
    assert run_spec(DIGITS, tmp_path / "one", cache_dir=cache).reason == "completed"
    [one_seed] = [one for one in _report(tmp_path / "one")["explanations"] if one["code"] == "one_seed"]
    spread = _report(tmp_path / "three")["difference"]["spread"]
    assert one_seed["measured"]["seed_spread"] == pytest.approx(spread)
    assert "like jobs run here" in one_seed["message"]


@pytest.mark.parametrize(
    ("temperature", "code", "colder"), [(0.2, "teacher_too_sure", False), (900, "teacher_too_soft", True)]
)
def test_a_temperature_at_which_the_teacher_says_little(
    tmp_path: Path, temperature: float, code: str, colder: bool
) -> None:
    training = {"epochs": 8, "batch_size": 64, "optimizer": {"name": "adam", "lr": 0.01}}
    body = DIGITS | {"temperature": temperature, "teacher": DIGITS["teacher"] | {"training": training}}
    assert run_spec(body, tmp_path).reason == "completed"
    report = _report(tmp_path)
    assert code in {one["code"] for one in report["explanations"]}
    assert (report["next_spec"]["losses"][0]["temperature"] < temperature) == colder
