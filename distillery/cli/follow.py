"""`distillery jobs run` and `watch`: a job from its spec to its verdict."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from distillery.cli.options import add_json, add_wait, change, connect, pair, verb

if TYPE_CHECKING:
    from distillery.client import Job

_PATIENCE = 600.0  # seconds that a job is followed while the service is away


def add_to(verbs: Any) -> None:
    run = verb(verbs, "run", run_job, "create a job and follow it to its verdict")
    run.add_argument("spec", metavar="SPEC", help="a JSON file, or - for standard input")
    run.add_argument("--set", dest="changes", type=pair, action="append", default=[], metavar="KEY=VALUE",
                     help="a value in place of the spec's, as training.epochs=3; may be given again")  # fmt: skip
    run.add_argument("--detach", action="store_true", help="only create it")
    run.add_argument("--dry-run", action="store_true", help="check it and print it resolved; nothing is created")
    watch = verb(verbs, "watch", watch_job, "follow a job to its verdict")
    watch.add_argument("id", metavar="ID")
    for parser in (run, watch):
        add_wait(parser)
        add_json(parser, quiet=True)


def run_job(options: argparse.Namespace) -> int:
    from distillery.cli.output import DONE, json_line, line, safe, tell

    spec = _read(options.spec)
    for path, value in options.changes:
        change(spec, path, value)
    with connect(options) as distillery:
        if options.dry_run:
            resolved = distillery.jobs.validate(spec)
            for warning in resolved.warnings:
                tell(f"warning: {safe(warning.pointer)}: {safe(warning.message)}")
            line(json.dumps(resolved.spec, indent=None if options.json else 2))
            return DONE
        job = distillery.jobs.run(spec)
        if not options.quiet:
            for warning in job.info.warnings:
                tell(f"warning: {safe(warning.pointer)}: {safe(warning.message)}")
        if options.detach:
            json_line(job.info) if options.json else line(job.id)
            return DONE
        if options.quiet:
            line(job.id)
        elif not options.json:
            tell(job.id)
    return _follow(job.id, options)


def watch_job(options: argparse.Namespace) -> int:
    return _follow(options.id, options)


def _follow(job_id: str, options: argparse.Namespace) -> int:
    with connect(options, _PATIENCE) as distillery:
        return _to_its_end(distillery.jobs.get(job_id), options)


def _to_its_end(job: Job, options: argparse.Namespace) -> int:
    from distillery.cli.console import Console
    from distillery.cli.output import json_line, tell
    from distillery.cli.progress import ProgressLines
    from distillery.errors import NotFinishedInTime

    lines = ProgressLines(Console(sys.stderr))
    try:
        quiet = options.json or options.quiet
        for event in job.events(
            timeout=options.wait, changed=lambda info: None if quiet else lines.moved(info.progress)
        ):
            if options.json:
                json_line(event)
            elif not options.quiet:
                lines.show(event, (job.info.progress or {}).get("seconds_remaining"))
        lines.finish_line()
    except (KeyboardInterrupt, NotFinishedInTime):
        lines.finish_line()
        tell(f"{job.id} goes on. To come back: distillery jobs watch {job.id}")
        tell(f"To end it: distillery jobs cancel {job.id}")
        raise
    job.wait()  # raises where it did not succeed
    if not (options.json or options.quiet):
        _show_report(job)
    return 0


def _show_report(job: Job) -> None:
    from distillery.cli.output import line
    from distillery.cli.reports import as_text
    from distillery.errors import ReportNotFound

    try:
        line(as_text(job.report()))
    except ReportNotFound:  # of a kind of job that writes none
        line(f"{job.id} succeeded")


def _read(name: str) -> dict[str, Any]:
    text = sys.stdin.read() if name == "-" else Path(name).read_text()
    try:
        spec = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{'standard input' if name == '-' else name} is not JSON: {error}") from None
    if not isinstance(spec, dict):
        raise ValueError(f"{name} holds no JSON object, which a spec is")
    return spec
