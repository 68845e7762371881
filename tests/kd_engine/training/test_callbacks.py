from __future__ import annotations

from pathlib import Path

from tests.kd_engine.small_runs import DIGITS, Recorder, run_spec


def test_the_first_step_of_a_phase_is_told_at_once(tmp_path: Path) -> None:
    recorder = Recorder()
    run_spec(DIGITS, tmp_path, recorder)

    for phase in ("teacher", "baseline", "student"):
        first = next(event for event in recorder.of("progress") if event.phase == phase)
        assert (first.epoch, first.step) == (1, 1)


def test_a_checkpoint_after_so_many_epochs(tmp_path: Path) -> None:
    body = DIGITS | {"training": {"epochs": 5, "batch_size": 256}, "baseline": False}
    saved: dict[int | None, list[int]] = {}
    for every in (None, 2):
        recorder = Recorder()
        run_spec(body, tmp_path / str(every), recorder, checkpoint_epochs=every, checkpoint_seconds=3600)
        saved[every] = [event.epoch for event in recorder.of("checkpoint_saved") if event.phase == "student"]

    assert len(saved[2]) == len(saved[None]) + 2
    assert {2, 4} <= set(saved[2])
