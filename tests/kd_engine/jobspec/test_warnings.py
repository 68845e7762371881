"""What a spec can ask for and can hardly mean: told, each kind under a code of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kd_engine.jobspec import parse_spec, warnings_of
from kd_engine.jobspec.warnings import CODES
from tests.kd_engine.small_runs import DIGITS, LONG, Recorder, run_spec

TWO_CLASSES: dict[str, Any] = {"name": "arrays", "params": {"path": "two.npz", "classes": ["no", "yes"]}}


def recipe(**changes: Any) -> dict[str, Any]:
    return DIGITS | {"training": {"epochs": 6, **changes}}


def multistep(**params: Any) -> dict[str, Any]:
    return recipe(schedule={"name": "multistep", **params})


def losses(*kinds: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return LONG | {"losses": list(kinds), "training": {"epochs": 6}} | changes


def teacher(**training: Any) -> dict[str, Any]:
    return DIGITS | {"teacher": {"model": "mlp", "training": training}}


RATE = "/training/schedule/warmup_epochs"
SIZE = "/training/batch_size"
ODD = [
    (recipe(schedule={"name": "cosine", "warmup_epochs": 40}), "warm_up_too_long", RATE),
    (recipe(schedule={"name": "constant", "warmup_epochs": 6}), "warm_up_too_long", RATE),
    (teacher(epochs=2, schedule={"name": "onecycle", "warmup_epochs": 3}), "warm_up_too_long", f"/teacher{RATE}"),
    (multistep(milestones=[3, 6]), "milestone_not_reached", "/training/schedule/milestones/1"),
    (multistep(milestones=[2], warmup_epochs=4), "milestone_in_warm_up", "/training/schedule/milestones/0"),
    (losses({"kind": "dkd"}), "warm_up_too_long", "/losses/0/warmup_epochs"),
    (losses({"kind": "kl"}, {"kind": "dist", "warmup_epochs": 6}), "warm_up_too_long", "/losses/1/warmup_epochs"),
    (DIGITS | {"alpha": 0}, "nothing_distilled", "/losses"),
    (recipe(batch_size=4096), "one_step_an_epoch", SIZE),
    (teacher(epochs=2, batch_size=4096), "one_step_an_epoch", f"/teacher{SIZE}"),
    (recipe(batch_size=1), "batch_of_one", SIZE),
    (losses({"kind": "dist"}, training={"batch_size": 1}), "nothing_to_compare", "/losses/0"),
    (losses({"kind": "dist"}, dataset=TWO_CLASSES), "two_classes", "/losses/0"),
    (recipe(batch_size=3) | {"resources": {"devices": 4}}, "idle_devices", SIZE),
]


@pytest.mark.parametrize(("body", "code", "pointer"), ODD)
def test_each_kind_is_told_where_it_stands(body: dict[str, Any], code: str, pointer: str) -> None:
    told = {(warning.code, warning.pointer): warning for warning in warnings_of(parse_spec(body).resolved())}

    assert (code, pointer) in told
    assert code in CODES
    assert len(told[code, pointer].message) > 60


@pytest.mark.parametrize(
    "body",
    [
        DIGITS,
        recipe(schedule={"name": "cosine", "warmup_epochs": 2}),
        multistep(milestones=[3, 5], warmup_epochs=2),
        losses({"kind": "dkd", "warmup_epochs": 3}),
        losses({"kind": "dist", "beta": 0}, dataset=TWO_CLASSES),
        losses({"kind": "kl"}, training={"batch_size": 2}),
        {"kind": "evaluate", "dataset": "digits", "model": "job_1"},
    ],
)
def test_of_what_is_usual_nothing_is_said(body: dict[str, Any]) -> None:
    assert warnings_of(parse_spec(body).resolved()) == ()


@pytest.mark.parametrize("kind", ["kl", "dkd", "logits", "dist"])
def test_a_loss_that_teaches_nothing_on_two_classes_is_refused(kind: str) -> None:
    body = losses({"kind": kind, "standardize": True}, dataset=TWO_CLASSES)

    with pytest.raises(ValueError, match="learns nothing on two classes"):
        parse_spec(body)

    assert parse_spec(body | {"dataset": "digits"})


def test_a_run_tells_them_before_it_trains_and_its_report_keeps_them(tmp_path: Path) -> None:
    recorder = Recorder()
    body = DIGITS | {"baseline": False, "training": {"epochs": 1, "batch_size": 2048}}

    assert run_spec(body, tmp_path, recorder).reason == "completed"

    [told] = recorder.of("warned")
    assert [warning.code for warning in told.warnings] == ["one_step_an_epoch"]
    assert recorder.events.index(told) < recorder.events.index(recorder.of("phase_started")[0])
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["warnings"] == [warning.model_dump() for warning in told.warnings]
