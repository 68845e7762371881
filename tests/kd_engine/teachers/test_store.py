"""Rows come back as they were put, survive when flushed, are joined between jobs, and are never half there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kd_engine.teachers.store import LogitStore


def _store(folder: Path, **changes: object) -> LogitStore:
    options = {"samples": 10, "views": 3, "classes": 4, "storage": "float32"} | changes
    return LogitStore(folder, "teacher", **options)  # type: ignore[arg-type]


def test_rows_come_back(tmp_path: Path) -> None:
    store = _store(tmp_path)
    rows = torch.tensor([7, 0, 29])
    logits = torch.randn(3, 4)
    assert store.missing(rows).tolist() == [0, 1, 2]
    store.put(rows, logits)
    assert store.get(rows).equal(logits)
    assert store.missing(torch.tensor([0, 1, 7])).tolist() == [1]
    assert store.filled == 3


@pytest.mark.parametrize(("storage", "error"), [("float32", 0.0), ("float16", 2.0**-11)])
def test_storage_precision(tmp_path: Path, storage: str, error: float) -> None:
    store = _store(tmp_path, storage=storage)
    logits = torch.randn(30, 4, generator=torch.Generator().manual_seed(0)) * 10
    store.put(torch.arange(30), logits)
    assert ((store.get(torch.arange(30)) - logits).abs() <= error * logits.abs() + 1e-7).all()


def test_only_flushed_rows_are_there_for_the_next_job(tmp_path: Path) -> None:
    first = _store(tmp_path)
    first.put(torch.tensor([1]), torch.ones(1, 4))
    first.flush()
    first.put(torch.tensor([2]), torch.ones(1, 4))
    second = _store(tmp_path)
    assert second.missing(torch.tensor([1, 2])).tolist() == [1]
    assert second.get(torch.tensor([1])).equal(torch.ones(1, 4))


def test_two_jobs_join_what_they_filled(tmp_path: Path) -> None:
    first, second = _store(tmp_path), _store(tmp_path)
    first.put(torch.tensor([1]), torch.full((1, 4), 1.0))
    second.put(torch.tensor([2]), torch.full((1, 4), 2.0))
    first.flush()
    second.flush()
    third = _store(tmp_path)
    assert third.get(torch.tensor([1, 2]))[:, 0].tolist() == [1.0, 2.0]
    assert third.filled == 2


@pytest.mark.parametrize("changes", [{"samples": 11}, {"views": 1}, {"classes": 5}, {"storage": "float16"}])
def test_a_store_of_another_shape_starts_empty(tmp_path: Path, changes: dict[str, object]) -> None:
    first = _store(tmp_path)
    first.put(torch.tensor([1]), torch.ones(1, 4))
    first.flush()
    assert _store(tmp_path, **changes).filled == 0


def test_forgotten_rows_are_gone_for_all(tmp_path: Path) -> None:
    store = _store(tmp_path)
    store.put(torch.arange(5), torch.ones(5, 4))
    store.flush()
    store.forget()
    assert store.filled == _store(tmp_path).filled == 0
