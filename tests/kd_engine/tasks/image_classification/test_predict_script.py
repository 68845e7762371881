"""The shipped script, run where this project does not exist."""

from __future__ import annotations

import ast
import csv
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kd_engine.exporters.run import run_exporters
from kd_engine.tasks.image_classification import predict_script
from tests.kd_engine.exporters.students import CLASSES, a_student, data, scores


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a user downloads, and pictures in folders."""
    place = tmp_path_factory.mktemp("downloaded")
    student = a_student()
    run_exporters(student, scores(student, data()), data(), ("onnx", "onnx_int8"), place)
    for number, image_CHW in enumerate(data().test.images_NCHW[:70]):
        path = place / "pictures" / f"{number % 2}" / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image_CHW.numpy().transpose(1, 2, 0)).save(path)
    return place


def _run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # -I: neither this folder nor the environment's paths; what is not installed is not found
    command = [sys.executable, "-I", "predict.py", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100)


def test_it_names_every_picture_as_the_student_does(folder: Path) -> None:
    done = _run(folder, "student.onnx", "pictures")
    assert (done.returncode, done.stderr) == (0, "")
    rows = {row["file"]: row for row in csv.DictReader(done.stdout.splitlines())}
    assert [*rows] == sorted(str(path.relative_to(folder)) for path in (folder / "pictures").rglob("*.png"))
    chances_NK = a_student().logits(data().test.images_NCHW[:70]).softmax(dim=1)
    for number, chances_K in enumerate(chances_NK):
        row = rows[f"pictures/{number % 2}/{number:03}.png"]
        assert row["class"] == CLASSES[int(chances_K.argmax())]
        assert float(row["probability"]) == pytest.approx(float(chances_K.max()), abs=2e-4)


def test_it_runs_the_8_bit_model_as_well_and_takes_a_single_picture(folder: Path) -> None:
    done = _run(folder, "student-int8.onnx", "pictures/0/000.png")
    assert done.returncode == 0
    assert [line.split(",")[0] for line in done.stdout.splitlines()] == ["file", "pictures/0/000.png"]


def test_a_broken_picture_is_named_and_the_others_are_done(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "pictures/0/000.png", tmp_path / "good.png")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    (tmp_path / "notes.txt").write_text("not looked at")
    done = _run(folder, "student.onnx", str(tmp_path))
    assert done.returncode == 1
    assert [Path(line.split(",")[0]).name for line in done.stdout.splitlines()] == ["file", "good.png"]
    assert "broken.png cannot be read" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("arguments", "message"), [
    (("student.onnx", "nowhere"), "no pictures in nowhere"),
    (("student.pt", "pictures"), "there is no file student.pt"),
    (("predict.py", "pictures"), "predict.py is not a student with its classes"),
])  # fmt: skip
def test_what_is_missing_is_said(folder: Path, arguments: tuple[str, ...], message: str) -> None:
    done = _run(folder, *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_it_imports_onnxruntime_pillow_and_what_those_need_alone() -> None:
    tree = ast.parse(Path(predict_script.__file__).read_text())
    imported = {
        name.partition(".")[0]
        for node in ast.walk(tree)
        for name in (
            [alias.name for alias in node.names] if isinstance(node, ast.Import)
            else [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        )
    }  # fmt: skip
    assert imported - sys.stdlib_module_names == {"numpy", "onnxruntime", "PIL"}


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK"])
def test_pictures_become_the_pixels_that_the_student_was_trained_on(tmp_path: Path, mode: str) -> None:
    """As the engine's own reader decodes and resizes them."""
    from kd_engine.images.decode import decode, identify

    random = np.random.default_rng(0)
    path = tmp_path / ("picture.tif" if mode == "CMYK" else "picture.png")
    Image.fromarray(random.integers(0, 256, (23, 31, 3), dtype=np.uint8)).convert(mode).save(path)
    [picture] = identify([(path, path.name)])
    expected_CHW = torch.from_numpy(decode(picture, 8, 12)).float() / 255
    pixels_CHW = predict_script.read_picture(path, ["batch", 3, 8, 12])
    np.testing.assert_allclose(pixels_CHW, expected_CHW.numpy(), atol=1e-6)


def test_a_student_of_grey_images_sees_grey(tmp_path: Path) -> None:
    path = tmp_path / "grey.png"
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(path)
    pixels_1HW = predict_script.read_picture(path, ["batch", 1, 8, 8])
    np.testing.assert_allclose(pixels_1HW, np.arange(64, dtype=np.float32).reshape(1, 8, 8) / 255)
