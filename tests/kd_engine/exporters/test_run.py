"""Every shipped form, run by a program that knows nothing of this project, does what the student does."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
import torch
from torch import Tensor

from kd_engine.catalog import EXPORTERS
from kd_engine.exporters.base import Student
from kd_engine.exporters.onnx import Onnx
from kd_engine.exporters.run import run_exporters
from kd_engine.networks.network import Network
from tests.kd_engine.exporters.students import CLASSES, SHAPE, Around, a_student, data, scores

ALL = tuple(EXPORTERS)
ROOT = str(Path(__file__).resolve().parents[3])


@pytest.fixture(scope="module")
def shipped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], list[str]]:
    folder = tmp_path_factory.mktemp("shipped")
    student, images = a_student(), data()
    return folder, *run_exporters(student, scores(student, images), images, ALL, folder)


def _pixels(images: int) -> tuple[np.ndarray[Any, Any], Tensor]:
    """Pixels in [0, 1] by plain division, and what the student says of the same images."""
    images_BCHW = data().test.images_NCHW[:images]
    with torch.no_grad():
        return images_BCHW.numpy().astype(np.float32) / np.float32(255), a_student().logits(images_BCHW)


def test_all_forms_and_the_script_are_written(shipped: tuple[Path, dict[str, Any], list[str]]) -> None:
    folder, report, names = shipped
    assert names == [*(row.file for row in EXPORTERS.values()), "predict.py"]
    assert sorted(path.name for path in folder.iterdir()) == sorted(names)
    assert [report[form].bytes for form in ALL] == [(folder / report[form].file).stat().st_size for form in ALL]


@pytest.mark.parametrize("images", [1, 7])
def test_the_onnx_model_gives_the_students_logits(shipped: tuple[Path, dict[str, Any], list[str]], images: int) -> None:
    session = onnxruntime.InferenceSession(shipped[0] / "student.onnx")
    pixels_BCHW, expected_BK = _pixels(images)
    (logits_BK,) = session.run(["logits"], {"images": pixels_BCHW})
    np.testing.assert_allclose(logits_BK, expected_BK.numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("images", [1, 7])
def test_the_program_gives_the_students_logits(shipped: tuple[Path, dict[str, Any], list[str]], images: int) -> None:
    pixels_BCHW, expected_BK = _pixels(images)
    program = torch.export.load(shipped[0] / "student.pt2").module()
    torch.testing.assert_close(program(torch.from_numpy(pixels_BCHW)), expected_BK, rtol=1e-4, atol=1e-4)


def test_the_largest_difference_is_that_of_the_first_images(shipped: tuple[Path, dict[str, Any], list[str]]) -> None:
    folder, report, _ = shipped
    pixels_BCHW, expected_BK = _pixels(256)
    (logits_BK,) = onnxruntime.InferenceSession(folder / "student.onnx").run(None, {"images": pixels_BCHW})
    found = report["onnx"]
    assert found.checked_images == 256
    assert 0 <= found.largest_difference < 1e-4
    assert found.largest_difference == pytest.approx(float(np.abs(logits_BK - expected_BK.numpy()).max()), abs=2e-5)


def test_the_8_bit_model_is_smaller_and_its_accuracy_is_measured(
    shipped: tuple[Path, dict[str, Any], list[str]],
) -> None:
    folder, report, _ = shipped
    found, test = report["onnx_int8"], data().test
    session = onnxruntime.InferenceSession(folder / "student-int8.onnx")
    (logits_NK,) = session.run(None, {"images": test.images_NCHW.numpy().astype(np.float32) / np.float32(255)})
    right_N = logits_NK.argmax(axis=1) == test.labels_N.numpy()
    assert found.scores["test_accuracy"].mean == pytest.approx(right_N.mean())
    assert found.difference.mean == pytest.approx(
        right_N.mean() - scores(a_student(), data()).estimate("accuracy").mean
    )
    assert found.bytes < 0.5 * report["onnx"].bytes
    agree = (torch.from_numpy(logits_NK).argmax(dim=1) == a_student().logits(test.images_NCHW).argmax(dim=1)).double()
    assert float(agree.mean()) > 0.9


@pytest.mark.parametrize("name", ["student.onnx", "student-int8.onnx"])
def test_a_model_names_its_classes(shipped: tuple[Path, dict[str, Any], list[str]], name: str) -> None:
    session = onnxruntime.InferenceSession(shipped[0] / name)
    assert json.loads(session.get_modelmeta().custom_metadata_map["classes"]) == list(CLASSES)
    [images] = session.get_inputs()
    assert images.name == "images"
    assert images.shape[1:] == list(SHAPE)
    assert isinstance(images.shape[0], str), "the size of a batch is left open"


def test_no_file_names_a_folder_of_this_machine(shipped: tuple[Path, dict[str, Any], list[str]]) -> None:
    folder, _, names = shipped
    with zipfile.ZipFile(folder / "student.pt2") as archive:
        parts = [archive.read(name) for name in archive.namelist()]
    for content in (*parts, *((folder / name).read_bytes() for name in names)):
        assert ROOT.encode() not in content
        assert b"site-packages" not in content


def test_one_form_alone_is_one_file(tmp_path: Path) -> None:
    student = a_student()
    report, names = run_exporters(student, scores(student, data()), data(), ("torch_export",), tmp_path)
    assert [*report] == ["torch_export"]
    assert names == ["student.pt2"]
    assert [path.name for path in tmp_path.iterdir()] == names


def test_a_network_that_cannot_be_traced_costs_its_exports_alone(tmp_path: Path) -> None:
    student = a_student()
    reads_values = Around(student.module, lambda logits_BK: logits_BK * 2 if float(logits_BK.sum()) > 0 else logits_BK)
    odd = Network(student.architecture, reads_values.eval())
    report, names = run_exporters(odd, scores(odd, data()), data(), ALL, tmp_path)
    assert names == []
    assert [*tmp_path.iterdir()] == []
    assert all(report[form].error for form in ALL)
    assert "made from student.onnx, which is not there" in report["onnx_int8"].error
    assert "\n" not in report["onnx"].error


def test_a_network_that_cannot_be_copied_costs_its_exports_alone(tmp_path: Path) -> None:
    student = a_student()
    student.module.register_buffer("kept", torch.ones(1, requires_grad=True) * 2, persistent=False)  # not a leaf
    report, names = run_exporters(student, scores(student, data()), data(), ("torch_export", "onnx"), tmp_path)
    assert names == []
    assert all(found.error for found in report.values())


def test_a_model_that_says_something_else_than_the_student_is_not_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = Onnx.write

    def write_another(self: Onnx, student: Student, path: Path) -> None:
        other = a_student()
        with torch.no_grad():
            next(other.module.parameters()).mul_(1.05)
        right(self, Student(other, student.calibration_NCHW), path)

    monkeypatch.setattr(Onnx, "write", write_another)
    student = a_student()
    report, names = run_exporters(student, scores(student, data()), data(), ("onnx",), tmp_path)
    assert names == []
    assert [*tmp_path.iterdir()] == []
    assert "differ from PyTorch's by up to" in report["onnx"].error


def test_equal_students_are_equal_onnx_files(tmp_path: Path) -> None:
    student = a_student()
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        run_exporters(student, scores(student, data()), data(), ("onnx",), tmp_path / folder)
    assert (tmp_path / "one" / "student.onnx").read_bytes() == (tmp_path / "two" / "student.onnx").read_bytes()
