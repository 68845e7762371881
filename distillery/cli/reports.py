"""`distillery report`, `compare` and `pull`: what came out of jobs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from distillery.cli.options import add_json, connect, verb

if TYPE_CHECKING:
    from kd_engine.schema.evaluation_report import AnyReport


def add_to(commands: Any) -> None:
    report = verb(commands, "report", show_report, "print a job's report: networks side by side, and the verdict")
    report.add_argument("id", metavar="ID")
    compare = verb(
        commands, "compare", compare_jobs, "print jobs side by side: where their specs differ, and what came out"
    )
    compare.add_argument("ids", metavar="ID", nargs="+")
    pull = verb(commands, "pull", pull_files, "fetch files of a job; prints where they lie")
    pull.add_argument("id", metavar="ID")
    pull.add_argument("names", metavar="FILE", nargs="*", help="all results unless given")
    pull.add_argument("--to", default=".", metavar="FOLDER", help="here unless given")
    for parser in (report, compare):
        add_json(parser)


def as_text(report: AnyReport) -> str:
    """The report for a terminal."""
    from distillery.cli.output import safe_lines
    from distillery.cli.report_table import report_table
    from kd_engine.schema.report import TrainingReport

    return safe_lines(report_table(report) if isinstance(report, TrainingReport) else report.summary)


def show_report(options: argparse.Namespace) -> int:
    from distillery.cli.output import json_line, line

    with connect(options) as distillery:
        report = distillery.jobs.get(options.id).report()
    json_line(report) if options.json else line(as_text(report))
    return 0


def compare_jobs(options: argparse.Namespace) -> int:
    from distillery.cli.comparison import compare
    from distillery.cli.output import json_line, safe, table

    with connect(options) as distillery:
        jobs = [distillery.jobs.get(job_id) for job_id in options.ids]
        columns = compare([(job.info, job.report() if job.state == "succeeded" else None) for job in jobs])
    if options.json:
        for column in columns:
            json_line(column)
        return 0
    names = list(dict.fromkeys(name for column in columns for name in column))
    table(("", *(safe(column["id"]) for column in columns)),
          ((name, *(column.get(name, "") for column in columns)) for name in names if name != "id"))  # fmt: skip
    return 0


def pull_files(options: argparse.Namespace) -> int:
    from distillery.cli.output import line

    with connect(options) as distillery:
        job = distillery.jobs.get(options.id)
        for name in options.names or [one.name for one in job.artifacts() if one.kind == "result"]:
            line(str(job.download(name, f"{options.to}/")))
    return 0
