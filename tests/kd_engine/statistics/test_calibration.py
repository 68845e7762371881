from __future__ import annotations

import pytest
import torch

from kd_engine.statistics.calibration import bin_of, calibration_error


def test_a_bin_holds_its_upper_edge() -> None:
    edges = [0.0, 1 / 15, 1 / 15 + 1e-6, 0.5, 14 / 15 + 1e-6, 1.0]
    assert bin_of(torch.tensor(edges, dtype=torch.float64)).tolist() == [0, 0, 1, 7, 14, 14]


def test_calibration_of_networks_worked_by_hand() -> None:
    sure_N = torch.ones(4)
    assert calibration_error(sure_N, torch.tensor([True, True, True, False])) == pytest.approx(0.25)
    assert calibration_error(torch.full((4,), 0.75), torch.tensor([True, True, True, False])) == pytest.approx(0)
    # two bins that are off in opposite directions do not cancel
    mixed_N, right_N = torch.tensor([1.0, 1.0, 0.5, 0.5]), torch.tensor([False, True, True, True])
    assert calibration_error(mixed_N, right_N) == pytest.approx(0.5 * 0.5 + 0.5 * 0.5)
