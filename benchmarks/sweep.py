"""Eight students in a sweep over one in a job, from the spec to what is published: CPU time of one thread.

Digits, softmax regression from a small CNN, each run with a cache of its own, so that both train the teacher and the
student alone. Eight jobs would be 8.0x, less what they find in a cache that they share.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.turns import Measured, in_turns
from kd_engine.jobspec import parse_spec
from kd_engine.runs.entry import run as run_engine
from kd_engine.schema.run_request import RunOptions

FLOOR = 1.5
ROUNDS = 3
_SPEC = Path(__file__).parent.parent / "examples" / "digits-linear.json"
_SPACE = {"temperature": [1, 2, 4, 8], "alpha": [0.5, 0.9]}
_ONE, _EIGHT = "one job", "a sweep of eight"


def run() -> None:
    """Prints the ratios: of students that train for long, and for as long as a spec says that says nothing."""
    job = json.loads(_SPEC.read_text())
    usual = {key: value for key, value in job.items() if key != "training"}
    print(f"eight students over one, digits, softmax regression, as a whole, medians of {ROUNDS} rounds, 1 thread")
    for what, spec in (("60 epochs of 20 steps", job), ("12 epochs of 10 steps", usual)):
        measured = measure(spec, ROUNDS)
        times = 1 / measured.cpu_speedup(_EIGHT, _ONE), 1 / measured.speedup(_EIGHT, _ONE)
        print(f"  {what}: {times[0]:.2f}x in CPU time, {times[1]:.2f}x on the wall  floor {FLOOR}x")


def measure(job: dict[str, Any], rounds: int) -> Measured:
    """Seconds of both, in turns."""
    base = {key: value for key, value in job.items() if key not in ("name", "labels", *_SPACE)}
    sweep = {"kind": "sweep", "base": base, "space": _SPACE}
    return in_turns({_ONE: lambda: _whole(job), _EIGHT: lambda: _whole(sweep)}, rounds)


def _whole(body: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder)
        options = RunOptions(out_dir=out, data_dir=out, cache_dir=out / "cache", download=False, threads=1)
        finished = run_engine(parse_spec(body), options)
        if finished.reason != "completed":
            raise RuntimeError(f"the run ended with {finished.reason}: {finished.detail}")
