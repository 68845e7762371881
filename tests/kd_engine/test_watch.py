from __future__ import annotations

from pathlib import Path

from tests.kd_engine.runs import DIGITS, Recorder, run_spec


def test_the_first_step_of_a_phase_is_told_at_once(tmp_path: Path) -> None:
    recorder = Recorder()
    run_spec(DIGITS, tmp_path, recorder)

    for phase in ("teacher", "baseline", "student"):
        first = next(event for event in recorder.of("progress") if event.phase == phase)
        assert (first.epoch, first.step) == (1, 1)
