"""A job on several devices: real processes, gloo on the CPU. The curve of one process, resumed exactly, none left."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from kd_engine.platform.device import choose_device
from kd_engine.platform.files import sha256_of
from kd_engine.runs.plan_runner import CHECKPOINT_FILE
from kd_engine.schema.errors import InvalidSpecError
from kd_engine.training.checkpoint import load_tree
from tests.kd_engine.small_runs import LONG, Recorder, run_spec

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parents[3]
RECIPE: dict[str, Any] = {"batch_size": 250, "precision": "float32", "optimizer": {"name": "sgd", "lr": 0.01}}
# 1,257 images of digits in batches of 250: the last one has 7
BODY: dict[str, Any] = LONG | {
    "teacher": {"model": "resnet8", "training": RECIPE | {"epochs": 2}},
    "student": "resnet8",
    "losses": [{"kind": "kl"}, {"kind": "sp", "weight": 10}, {"kind": "crd", "weight": 0.1, "negatives": 64}],
    "training": RECIPE | {"epochs": 2, "augmentation": ["crop", "flip"]},
    "baseline": False,
}
TWO = {"resources": {"devices": 2}}
# BatchNorm in the teacher, dropout in the student, banks in a loss, logits in the cache: all of it has to be resumed
RESUMED: dict[str, Any] = LONG | {
    "teacher": {"model": "resnet8", "training": {"epochs": 1}},
    "student": {"model": "mnist_cnn", "params": {"channels": [4, 8], "hidden": 32}},
    "losses": [{"kind": "kl"}, {"kind": "crd", "negatives": 64}],
    "training": {"epochs": 2, "batch_size": 30, "augmentation": [{"name": "crop", "padding": 1}]},
    "resources": {"device": "cpu", "devices": 2},
    "baseline": False,
}


class _Acting(Recorder):
    """Does something each time it is asked whether to stop, once the run has told of an event in some phase."""

    def __init__(self, kind: str, phase: str, act: Callable[[], bool]) -> None:
        super().__init__()
        self._at, self._act = (kind, phase), act

    def should_stop(self) -> bool:
        return self._at in {(event.type, getattr(event, "phase", "")) for event in self.events} and self._act()


def _curve(out: Path) -> list[dict[str, float]]:
    with (out / "metrics.csv").open() as file:
        keys = ("train_loss", "val_loss", "val_accuracy")
        return [{key: float(row[key]) for key in keys} for row in csv.DictReader(file)]


def _left_behind() -> list[psutil.Process]:
    return [
        child for child in psutil.Process().children(recursive=True) if "kd_engine.runs.rank_main" in child.cmdline()
    ]


def test_the_curve_is_that_of_one_process(tmp_path: Path) -> None:
    """BatchNorm, losses that relate images, banks, an uneven last batch; two processes, float32 noise between."""
    assert run_spec(BODY, tmp_path / "one").reason == "completed"
    recorder = Recorder()
    ended = run_spec(BODY | TWO, tmp_path / "two", recorder)

    assert ended.reason == "completed", ended.detail
    one, two = _curve(tmp_path / "one"), _curve(tmp_path / "two")
    assert len(one) == len(two) == 4
    for expected, found in zip(one, two, strict=True):
        assert found == pytest.approx(expected, rel=1e-3, abs=1 / 180)
    assert two[-1]["train_loss"] == pytest.approx(one[-1]["train_loss"], rel=1e-4)
    assert len(recorder.of("epoch_end")) == 4
    assert (tmp_path / "two" / "events.jsonl").read_text().count('"type":"finished"') == 1
    assert {path.name for path in (tmp_path / "two").iterdir()} == {path.name for path in (tmp_path / "one").iterdir()}
    assert json.loads((tmp_path / "two" / "spec.json").read_text())["resources"]["devices"] == 2
    assert json.loads((tmp_path / "two" / "environment.json").read_text())["device"]["processes"] == 2


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run of two processes that was interrupted inside an epoch."""
    out = tmp_path_factory.mktemp("cut")
    ended = run_spec(RESUMED, out, _Acting("progress", "student", lambda: True), threads=2)
    assert ended.reason == "interrupted", ended.detail
    return out


@pytest.mark.timeout(300)  # three runs of two processes each
def test_interrupted_inside_an_epoch_and_resumed_it_is_the_undisturbed_run(cut: Path, tmp_path: Path) -> None:
    """The undisturbed run is started by torchrun, so it shows as well that both ways of starting are one."""
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(RESUMED | {"resources": {"device": "cpu"}}))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    command = [*torchrun, "-m", "kd_engine", "run", str(spec), str(tmp_path / "whole"), "--threads", "2"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("epoch 2/2") == 1  # one of them tells
    assert done.stdout.count("nobody knows whether distillation helped") == 1

    shutil.copytree(cut, tmp_path / "cut")
    cut = tmp_path / "cut"
    trainer = load_tree(cut / CHECKPOINT_FILE)["trainer"]
    assert trainer["epoch"] < 2
    assert not trainer["random"][0].equal(trainer["random"][1])
    recorder = Recorder()
    again = run_spec(RESUMED, cut, recorder, resume_from=cut / CHECKPOINT_FILE, threads=2)
    assert again.reason == "completed", again.detail
    assert recorder.of("run_started")[0].resumed
    assert _curve(cut) == _curve(tmp_path / "whole")
    for name in ("student.safetensors", "teacher.safetensors"):
        assert sha256_of(cut / name) == sha256_of(tmp_path / "whole" / name)
    assert not _left_behind()


def test_a_killed_process_ends_the_run_with_a_reason(tmp_path: Path) -> None:
    killed: list[psutil.Process] = []

    def kill_the_second() -> bool:
        if not killed:
            killed.append(_left_behind()[1])
            killed[0].kill()
        return False

    ended = run_spec(RESUMED, tmp_path, _Acting("phase_started", "teacher", kill_the_second))

    assert (ended.reason, ended.detail) == (
        "worker_lost",
        "process 2 of 2 was killed by SIGKILL; the others were ended.",
    )
    assert not _left_behind()


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    spec = tmp_path / "spec.json"
    spec.write_text(json.dumps(RESUMED | {"training": {"epochs": 10_000}}))
    command = [sys.executable, "-m", "kd_engine", "run", str(spec), str(tmp_path / "out"), "--threads", "2"]
    events = tmp_path / "out" / "events.jsonl"
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as parent:
        try:
            _wait(lambda: events.exists() and "epoch_end" in events.read_text())
            children = psutil.Process(parent.pid).children()
            assert len(children) == 2
        finally:
            os.kill(parent.pid, signal.SIGKILL)
    psutil.wait_procs(children, timeout=20)
    assert not any(child.is_running() for child in children)


def _wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "waited for a minute"
        time.sleep(0.05)


def test_what_one_process_cannot_do_is_the_runs_reason(tmp_path: Path) -> None:
    """The first one finds no data, while the other waits for it to have read them."""
    ended = run_spec(RESUMED | {"dataset": "mnist"}, tmp_path)

    assert ended.reason == "data_error"
    assert "looked for" in ended.detail
    assert not _left_behind()


def test_a_checkpoint_of_another_number_of_devices_is_refused(cut: Path, tmp_path: Path) -> None:
    ended = run_spec(RESUMED | {"resources": {"device": "cpu"}}, tmp_path, resume_from=cut / CHECKPOINT_FILE)
    assert ended.reason == "data_error"
    assert "another spec" in ended.detail


def test_more_gpus_than_there_are_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [str(choose_device("auto", 2, rank)) for rank in (0, 1)] == ["cuda:0", "cuda:1"]
    with pytest.raises(InvalidSpecError, match=r"resources.devices is 4, but this worker sees 2 GPUs; ask for at most"):
        choose_device("cuda", 4)
