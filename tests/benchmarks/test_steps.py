"""Each contestant of the benchmarks of training, on the smallest networks and for a single round."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch.nn.functional import cross_entropy, kl_div

from benchmarks import mnist, overhead, together, training
from benchmarks.bare_loop import BareLoop
from benchmarks.engine_loop import EngineLoop
from benchmarks.peer_loop import PeerLoop
from benchmarks.plain_loop import PILImages, PlainLoop
from benchmarks.turns import Measured
from benchmarks.work import BATCH, Work, cifar
from benchmarks.work import mnist as digits

TINY = cifar("resnet14", "resnet8", steps=1)


def finished(measured: Measured) -> bool:
    return all(math.isfinite(seconds) and seconds > 0 for rounds in measured.seconds.values() for seconds in rounds)


def test_the_training_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = training.measure(TINY, tmp_path, rounds=1)
    training.show(training.Pair(TINY, {"auto": 2.0}), measured)

    assert set(measured.seconds) == {"plain loop", "torchdistill", "float32", "auto", "warm cache"}
    assert finished(measured)
    shown = capsys.readouterr().out
    assert shown.count("x of torchdistill (CPU time") == 5
    assert shown.count("floor 2.00x") == 1
    assert training.flops_per_image(TINY) > training.flops_per_image(cifar("resnet8", "resnet8", steps=1))


def test_mnist(tmp_path: Path) -> None:
    measured = mnist.measure(digits(steps=1), tmp_path, rounds=1)

    assert set(measured.seconds) == {"plain loop", "live", "warm cache"}
    assert finished(measured)


@pytest.mark.parametrize("work", [TINY, digits(steps=1)], ids=["augmented", "as it is"])
def test_what_the_service_costs(work: Work, tmp_path: Path) -> None:
    measured = overhead.measure(work, "auto", tmp_path, rounds=1)

    assert set(measured.seconds) == {"bare loop", "engine"}
    assert finished(measured)
    assert "progress" in (tmp_path / "events.jsonl").read_text(), "a job's events are part of what the service costs"


@pytest.mark.slow
def test_two_jobs_at_once() -> None:
    measured = together.measure(TINY, rounds=1)

    assert set(measured.seconds) == {"one job", "two jobs"}
    assert finished(measured)


@pytest.mark.slow
def test_a_trainer_that_dies_is_noticed() -> None:
    unknown = cifar("resnet14", "no_such_network", steps=1)

    with together.trainers(unknown, [1]) as (trainer,):
        trainer.begin()
        with pytest.raises(RuntimeError, match="exit status 1"):
            trainer.wait()


def test_the_peer_minimises_the_same_and_leaves_the_teacher_alone() -> None:
    peer = PeerLoop(TINY, TINY.split())
    teacher, student = peer.box.teacher_model, peer.box.student_model
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    weight = next(student.parameters()).detach().clone()
    images_BCHW, labels_B = torch.randn(8, 3, 32, 32), torch.randint(0, 10, (8,))
    student.eval()  # the same statistics in both passes
    with torch.no_grad():
        found = peer.box.forward_process(images_BCHW, labels_B, {})
        logits_BK, teacher_BK = student(images_BCHW), teacher(images_BCHW)
    soft = kl_div((logits_BK / 4).log_softmax(1), (teacher_BK / 4).softmax(1), reduction="sum") / 8

    torch.testing.assert_close(found, 0.1 * cross_entropy(logits_BK, labels_B) + 0.9 * 16 * soft)
    peer()
    assert not torch.equal(next(student.parameters()), weight)
    assert not teacher.training
    torch.testing.assert_close(dict(teacher.state_dict()), before, rtol=0, atol=0)


@pytest.mark.parametrize("work", [TINY, digits(steps=1)], ids=["augmented", "as it is"])
def test_all_show_the_same_pixels(work: Work) -> None:
    """White pictures: normalised they hold one value a channel, and the black of the padding where there is a crop."""
    split = work.split()
    split.images_NCHW.fill_(255)
    white = {round((1 - mean) / std, 4) for mean, std in zip(work.mean, work.std, strict=True)}
    black = {round((0 - mean) / std, 4) for mean, std in zip(work.mean, work.std, strict=True)}
    plain_BCHW, labels_B = next(iter(PlainLoop(work, split).loader))
    peer_BCHW, peer_labels_B, _ = next(iter(PeerLoop(work, split).box.train_data_loader))

    assert plain_BCHW.shape == peer_BCHW.shape == (BATCH, *work.shape)
    assert sorted(labels_B.tolist()) == sorted(peer_labels_B.tolist()) == sorted(split.labels_N.tolist())
    for pixels_BCHW in (plain_BCHW, peer_BCHW):
        found = {round(value, 4) for value in pixels_BCHW.unique().tolist()}
        assert found == (white | black if work.augmented else white)


def test_a_picture_that_is_not_augmented_is_the_split_s() -> None:
    work = digits(steps=1)
    split = work.split()
    pixels_CHW, label = PILImages(work, split)[3]

    torch.testing.assert_close(pixels_CHW, (split.images_NCHW[3] / 255 - 0.1307) / 0.3081)
    assert label == split.labels_N[3]


def test_the_bare_loop_does_what_the_engine_does(tmp_path: Path) -> None:
    """On one batch in a fixed order, without augmentation, both arrive at the same weights."""
    work = digits(steps=1)
    train = work.split()
    bare, engine = BareLoop(work, "float32", train), EngineLoop(work, "float32", train, tmp_path / "events.jsonl")
    bare()
    engine()

    for found, expected in zip(bare.student.module.parameters(), engine.student.module.parameters(), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
