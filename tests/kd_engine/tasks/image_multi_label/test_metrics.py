"""The metrics against scikit-learn, with all images and without each of them; intervals against the truth."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score, f1_score
from torch import Tensor

from kd_engine.tasks.image_multi_label.metrics import calibration, column, f1, mean_average_precision
from kd_engine.tasks.image_multi_label.scores import LabelScores


def _answers(images: int, classes: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Logits, many of them alike, and targets that they have to do with; the last class has no image."""
    draws = torch.Generator().manual_seed(seed)
    targets_NK = (torch.rand(images, classes, generator=draws) < 0.3).to(torch.uint8)
    targets_NK[:, -1] = 0
    noise_NK = torch.randn(images, classes, generator=draws)
    return (2 * (noise_NK + targets_NK)).round() / 2 - 0.25, targets_NK


def _map(logits_NK: Tensor, targets_NK: Tensor) -> float:
    there = targets_NK.bool().any(dim=0)
    columns = zip(targets_NK[:, there].T.numpy(), logits_NK[:, there].T.numpy(), strict=True)
    return float(np.mean([average_precision_score(targets_N, scores_N) for targets_N, scores_N in columns]))


def _f1(logits_NK: Tensor, targets_NK: Tensor, average: str) -> float:
    there = targets_NK.bool().any(dim=0) if average == "macro" else torch.ones(targets_NK.shape[1], dtype=torch.bool)
    yes_NK = (logits_NK > 0).numpy()[:, there.numpy()]
    return float(f1_score(targets_NK[:, there].numpy(), yes_NK, average=average, zero_division=0))


def test_they_are_those_of_scikit_learn_also_without_any_of_the_images() -> None:
    logits_NK, targets_NK = _answers(40, 4)
    precision, precision_without_N, by_class = mean_average_precision(logits_NK, targets_NK)
    macro, micro, _ = f1(logits_NK > 0, targets_NK)

    assert by_class[-1] is None
    found = (precision, macro[0], micro[0])
    assert found == pytest.approx((_map(logits_NK, targets_NK), *(_f1(logits_NK, targets_NK, average)
                                                                 for average in ("macro", "micro"))))  # fmt: skip
    for left_out in range(40):
        kept = torch.arange(40) != left_out
        rest = logits_NK[kept], targets_NK[kept]
        assert float(precision_without_N[left_out]) == pytest.approx(_map(*rest))
        assert float(macro[1][left_out]) == pytest.approx(_f1(*rest, "macro"))
        assert float(micro[1][left_out]) == pytest.approx(_f1(*rest, "micro"))


def test_the_calibration_error_of_each_class_is_that_of_a_plain_loop_also_without_an_image() -> None:
    logits_NK, targets_NK = _answers(60, 3)

    def plain(chances_N: Tensor, targets_N: Tensor) -> float:
        gap = 0.0
        for low in range(15):
            inside = (chances_N > low / 15) & (chances_N <= (low + 1) / 15)
            gap += abs(float((targets_N[inside] - chances_N[inside]).sum()))
        return gap / len(chances_N)

    def all_classes(kept: Tensor) -> list[float]:
        chances_NK, rest_NK = logits_NK[kept].double().sigmoid(), targets_NK[kept].double()
        return [plain(chances_NK[:, label], rest_NK[:, label]) for label in range(3)]

    value, without_N, by_class_K = calibration(logits_NK.double().sigmoid(), targets_NK)
    assert by_class_K.tolist() == pytest.approx(all_classes(torch.arange(60) >= 0))
    assert value == pytest.approx(float(by_class_K.mean()))
    for left_out in (0, 7, 59):
        assert float(without_N[left_out]) == pytest.approx(np.mean(all_classes(torch.arange(60) != left_out)))


def test_a_split_without_any_yes_and_one_of_a_single_image_have_numbers() -> None:
    logits_NK, targets_NK = _answers(5, 3)
    none = LabelScores(torch.zeros_like(targets_NK), logits_NK)
    assert none.metrics["map"] == none.metrics["macro_f1"] == none.metrics["micro_f1"] == 0
    assert {row.recall for row in none.by_class("abc")} == {None}
    one = LabelScores(targets_NK[:1], logits_NK[:1])
    assert all(np.isfinite(value) for value in one.metrics.values())
    assert one.estimate("map").interval == (0, 1)


@pytest.mark.parametrize("name", ["map", "macro_f1", "micro_f1"])
def test_an_interval_holds_the_truth_of_the_difference_about_as_often_as_it_says(name: str) -> None:
    truth = _difference(20_000, name, seed=1).mean
    intervals = [_difference(250, name, seed).interval for seed in range(100, 260)]
    held = sum(low <= truth <= high for low, high in intervals)
    assert held >= 0.9 * len(intervals)  # 95 in 100; of as many tries fewer than 90 come up once in some 300


def _difference(images: int, name: str, seed: int):  # type: ignore[no-untyped-def]
    logits_NK, targets_NK = _answers(images, 3, seed)
    worse_NK = logits_NK + torch.randn(logits_NK.shape, generator=torch.Generator().manual_seed(seed))
    return LabelScores(targets_NK, logits_NK).less(LabelScores(targets_NK, worse_NK), name)


def test_a_column_has_the_metric_as_its_mean_and_is_the_values_of_a_mean_themselves() -> None:
    values_N = torch.tensor([0.2, 0.9, 0.4], dtype=torch.float64)
    without_N = (values_N.sum() - values_N) / 2
    torch.testing.assert_close(column(float(values_N.mean()), without_N), values_N)
