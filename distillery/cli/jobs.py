"""`distillery jobs ps | get | logs | cancel | pause | resume | retry | rm`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import islice
from typing import TYPE_CHECKING, Any

from distillery.cli.options import add_json, connect, pair, verb

if TYPE_CHECKING:
    from distillery.client import Job
    from distillery.resources import JobSummary, JobView

_FOLLOW_SECONDS = 30


def add_to(verbs: Any) -> None:
    ps = verb(verbs, "ps", list_jobs, "list jobs, newest first")
    ps.add_argument("-n", type=int, default=20, metavar="COUNT", help="how many at most; 20 unless given, 0 for all")
    for name in ("state", "name", "dataset", "student"):
        ps.add_argument(f"--{name}", help=f"of this {name}")
    ps.add_argument("--label", type=pair, action="append", default=[], metavar="KEY=VALUE", help="with this label")
    add_json(ps, quiet=True)
    get = verb(verbs, "get", get_job, "show a job")
    get.add_argument("id", metavar="ID")
    add_json(get)
    logs = verb(verbs, "logs", show_logs, "print what a job's trainer wrote")
    logs.add_argument("id", metavar="ID")
    logs.add_argument("--tail", type=int, metavar="LINES", help="the last lines alone")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until the job has ended")
    for name, run, text in (
        ("cancel", cancel, "end jobs that have not ended"),
        ("pause", pause, "take jobs out of the queue, or stop them at a checkpoint"),
        ("resume", resume, "let paused jobs go on"),
        ("retry", retry, "run jobs again that failed or were cancelled; prints the new ids"),
        ("rm", remove, "delete jobs that have ended, with their files"),
    ):
        verb(verbs, name, run, text).add_argument("ids", metavar="ID", nargs="+")


def list_jobs(options: argparse.Namespace) -> int:
    from distillery.cli.output import json_line, line, table

    with connect(options) as distillery:
        found = distillery.jobs.list(
            state=options.state, name=options.name, dataset=options.dataset, student=options.student,
            labels=dict(options.label),
        )  # fmt: skip
        jobs = islice(found, options.n or None)
        if options.quiet or options.json:
            for job in jobs:
                line(job.id) if options.quiet else json_line(job)
        else:
            table(("ID", "NAME", "STATE", "PROGRESS", "LEFT", "CREATED"), (_row(job) for job in jobs))
    return 0


def _row(job: JobSummary) -> tuple[object, ...]:
    progress = job.progress or {}
    done = f"{100 * progress['fraction']:.0f} %" if "fraction" in progress else ""
    left = progress.get("seconds_remaining")
    waits = "" if job.position is None else f" ({job.position})"
    seconds = f"{left:.0f} s" if left and not job.state.terminal else ""
    return job.id, job.name, f"{job.state}{waits}", done, seconds, f"{job.times.created:%Y-%m-%d %H:%M}"


def get_job(options: argparse.Namespace) -> int:
    from distillery.cli.output import json_line, line, safe

    with connect(options) as distillery:
        info = distillery.jobs.get(options.id).info
    if options.json:
        json_line(info)
        return 0
    rows = {
        "id": info.id, "name": info.name, "state": info.state, "reason": info.reason, "detail": info.detail,
        "waits for": f"{info.waiting_for.code}: {info.waiting_for.detail}" if info.waiting_for else None,
        "phase": info.phase, "progress": f"{100 * info.progress['fraction']:.0f} %" if info.progress else None,
        "attempt": info.attempt, "created": info.times.created, "finished": info.times.finished,
        "labels": " ".join(f"{key}={value}" for key, value in info.labels.items()),
    }  # fmt: skip
    for name, value in rows.items():
        if value not in (None, ""):
            line(f"{name:<10} {safe(value)}")
    for warning in info.warnings:
        line(f"warning    {safe(warning.pointer)}: {safe(warning.message)}")
    return 0


def show_logs(options: argparse.Namespace) -> int:
    from distillery.cli.output import line, safe

    with connect(options) as distillery:
        job = distillery.jobs.get(options.id)
        after, tail = 0, options.tail
        while True:
            ended = job.state.terminal
            for one in job.logs(after, tail):
                line(safe(one.line))
                after = one.seq
            if ended or not options.follow:
                return 0
            tail = None
            job.refresh(wait=_FOLLOW_SECONDS)


def _each(options: argparse.Namespace, act: Callable[[Job], Job | None]) -> int:
    """Does it to each job; those after one that is refused have their turn too, and the last refusal is the status."""
    from distillery.cli.output import line, tell_error
    from distillery.errors import DistilleryError

    status = 0
    with connect(options) as distillery:
        for job_id in options.ids:
            try:
                after = act(distillery.jobs.get(job_id))
                line(f"{after.id}\t{_state(after.info)}" if after else job_id)
            except DistilleryError as error:
                status = tell_error(error)
    return status


def _state(info: JobView) -> str:
    asked = "cancelled" if info.cancel_requested else "paused" if info.pause_requested else ""
    return f"{info.state}, to be {asked}" if asked and not info.state.terminal else str(info.state)


def cancel(options: argparse.Namespace) -> int:
    return _each(options, lambda job: job.cancel())


def pause(options: argparse.Namespace) -> int:
    return _each(options, lambda job: job.pause())


def resume(options: argparse.Namespace) -> int:
    return _each(options, lambda job: job.resume())


def retry(options: argparse.Namespace) -> int:
    return _each(options, lambda job: job.retry())


def remove(options: argparse.Namespace) -> int:
    return _each(options, lambda job: job.delete())
