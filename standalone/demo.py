"""`python -m standalone demo`: one real job through a service of its own, and a look at what came out of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from distillery.cli.console import Console
from distillery.cli.progress import ProgressLines
from distillery.cli.report_table import published_score, report_table
from distillery.client import Distillery, Job
from distillery.errors import DistilleryError
from distillery.states import JobState
from jobs.settings import Settings
from kd_engine.schema.evaluation_report import EvaluationReport
from kd_engine.schema.metrics import Metric
from kd_engine.schema.report import TrainingReport
from standalone.errors import DemoFailed
from standalone.service import running_service
from standalone.signals import StopSignals
from standalone.supervisor import Supervisor

_ROOT = Path(__file__).resolve().parent.parent
_SPEC = _ROOT / "examples" / "digits.json"
_POLL_SECONDS = 0.25
_PATIENCE_SECONDS = 5.0  # with an api that starts again; signals are looked at after that
_EVALUATION_SECONDS = 60.0


def demo(output: Path) -> None:
    """Runs the demo on a free loopback port; the student's weights end up in `output`, all else is removed.

    Raises:
        CannotStart: the service did not start.
        DemoFailed: the job did not succeed, or its report and its weights do not say the same.
        Stopped: a signal came.
    """
    console = Console(show_children=False)
    started = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="distillery-demo-") as folder, StopSignals() as signals:
        settings = Settings(home=Path(folder), host="127.0.0.1", port=0, workers=1)
        try:
            console.line("starting the service: Redis, api, one worker")
            with running_service(settings, console, signals) as (supervisor, url):
                console.line(f"ready at {url} after {time.monotonic() - started:.1f} s\n")
                with Distillery(url, patience=_PATIENCE_SECONDS) as client:
                    _one_job(client, console, supervisor, signals, output)
        except (DemoFailed, DistilleryError) as error:
            _keep_logs(settings.home / "logs", output / "logs", console)
            raise DemoFailed(str(error)) from error
    console.line(f"\nall stopped; the demo took {time.monotonic() - started:.0f} s")


def _one_job(client: Distillery, console: Console, supervisor: Supervisor, signals: StopSignals, output: Path) -> None:
    spec = json.loads(_SPEC.read_text())
    job = client.jobs.run(spec)
    console.line(f"POST /jobs with {_SPEC.relative_to(_ROOT)}: {job.id}")
    _follow(job, console, supervisor, signals)
    if job.state is not JobState.SUCCEEDED:
        raise DemoFailed(f"the job ended as {job.state}: {job.info.reason}; {job.info.detail or 'no details'}")
    report = job.report()
    assert isinstance(report, TrainingReport)
    console.line(f"\n{report_table(report)}\n")
    weights = job.download("student.safetensors", output)
    console.line(f"downloaded {weights} ({weights.stat().st_size:,} bytes, with the sha256 that was listed)")
    signals.check()
    _compare(weights, spec["dataset"]["name"], published_score(report, "student"), report.metrics[0], console)


def _follow(job: Job, console: Console, supervisor: Supervisor, signals: StopSignals) -> None:
    """Shows the job's progress until it ends."""
    lines = ProgressLines(console)
    seen = 0
    try:
        while True:
            signals.check()
            supervisor.tick()
            ended = job.refresh(wait=_POLL_SECONDS).state.terminal  # before its events, which are all there then
            lines.moved(job.info.progress)
            for event in job.history(seen):
                lines.show(event, (job.info.progress or {}).get("seconds_remaining"))
                seen = event.seq
            if ended:
                return
    finally:
        lines.finish_line()


def _compare(weights: Path, dataset: str, reported: float, metric: Metric, console: Console) -> None:
    """Scores the test images in a process that knows the file alone, and compares with the report."""
    command = [sys.executable, "-m", "kd_engine", "evaluate", str(weights.resolve()), "--dataset", dataset]
    console.line(f"a fresh process: python {' '.join(command[1:4])} {weights} {' '.join(command[5:])}")
    done = subprocess.run(
        command, cwd=_ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        timeout=_EVALUATION_SECONDS,
    )  # fmt: skip
    if done.returncode != 0:
        raise DemoFailed(f"it ended with exit status {done.returncode}: {done.stderr.strip()}")
    measured = EvaluationReport.read(done.stdout).main
    console.line(f"  test {metric.label} {metric.show(measured)}; the report says {metric.show(reported)}")
    if abs(measured - reported) > 1e-9:
        raise DemoFailed(f"the weights score {measured!r}, but the report says {reported!r}: they must be equal")
    console.line("  equal, as they must be")


def _keep_logs(logs: Path, target: Path, console: Console) -> None:
    shutil.copytree(logs, target, dirs_exist_ok=True)
    console.line(f"the logs are kept in {target}")
