"""The model card says what the report says, and shows what users wrote as they wrote it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kd_engine.jobspec import JobSpec
from kd_engine.results.model_card import model_card
from kd_engine.schema.report import Exported, TrainingReport
from tests.kd_engine.exporters.students import data
from tests.kd_engine.small_runs import DIGITS, run_spec


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    name = "<script>alert(1)</script> | *stars*\nand a line"
    ended = run_spec(DIGITS | {"name": name, "export": ["torch_export", "onnx", "onnx_int8"]}, out)
    assert ended.reason == "completed", ended.detail
    assert {"student.onnx", "student-int8.onnx", "student.pt2", "predict.py", "MODEL_CARD.md"} <= set(ended.artifacts)
    assert all((out / name).is_file() for name in ended.artifacts)
    return out


def _report(finished: Path) -> TrainingReport:
    return TrainingReport.read((finished / "report.json").read_text())


def test_it_gives_the_numbers_of_the_report(finished: Path) -> None:
    card, report = (finished / "MODEL_CARD.md").read_text(), _report(finished)
    assert report.summary in card
    for row in report.rows:
        assert f"| {row.network} | `{row.model}` | {row.parameters:,} |" in card
    for found in report.details["student"].classes:
        assert f"| {found.name} | {found.images} |" in card
    int8 = report.export["onnx_int8"]
    assert f"test accuracy {100 * int8.scores[report.main].mean:.2f} %" in card
    assert "python predict.py student.onnx FOLDER" in card


def test_a_name_cannot_write_markdown_or_html(finished: Path) -> None:
    first = (finished / "MODEL_CARD.md").read_text().splitlines()[0]
    assert first.startswith("# &#60;script&#62;alert(1)&#60;/script&#62; &#124; &#42;stars&#42; and a line")


def test_what_was_sent_is_called_by_its_name(finished: Path) -> None:
    names = {
        "dataset": {"id": "ds_1", "name": "pets | *mine*"},
        "teacher/ensemble/0": {"id": "mdl_1", "name": "big"},
    }
    jobs = [{"job": "job_1"}, {"job": "job_2"}]
    spec = JobSpec.model_validate(DIGITS | {"teacher": {"ensemble": jobs}}).resolved()
    card = model_card(spec, data(), _report(finished).changed(names=names))
    assert card.startswith("# mlp on pets &#124; &#42;mine&#42;\n")
    assert "| data | pets &#124; &#42;mine&#42; (`ds_1`), sha256" in card
    assert "| teacher | networks of earlier jobs: big (`mdl_1`) |" in card


def test_of_many_classes_the_worst_are_listed(finished: Path) -> None:
    report = _report(finished)
    student = report.details["student"]
    classes = [student.classes[0].changed(name=f"class {number}", recall=number / 150) for number in range(150)]
    report = report.changed(details=report.details | {"student": student.changed(classes=classes)})
    card = model_card(JobSpec.model_validate(DIGITS).resolved(), data(), report)
    assert "the 100 worst of 150" in card
    assert "| class 99 |" in card
    assert "| class 100 |" not in card


def test_what_could_not_be_exported_is_not_offered(finished: Path) -> None:
    report = _report(finished).changed(export={"onnx": Exported(error="Unsupported: something")})
    card = model_card(JobSpec.model_validate(DIGITS).resolved(), data(), report)
    assert "student.onnx" not in card
    assert "predict.py" not in card
