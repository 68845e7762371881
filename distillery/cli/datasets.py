"""`distillery datasets push | ls | get | rm`."""

from __future__ import annotations

import argparse
from typing import Any

from distillery.cli.options import add_json, connect, pair, settings, verb


def add_to(verbs: Any) -> None:
    push = verb(verbs, "push", push_dataset, "send a folder or a file, and wait until it is checked; prints the id")
    push.add_argument("path", metavar="PATH")
    push.add_argument("--name", help="that of the folder or file unless given")
    push.add_argument("--set", dest="options", type=pair, action="append", default=[], metavar="KEY=VALUE",
                      help="an option of POST /datasets, as test=0.1 or task=image_multi_label")  # fmt: skip
    push.add_argument("--detach", action="store_true", help="do not wait for the check")
    ls = verb(verbs, "ls", list_datasets, "list data sets that were sent, newest first")
    get = verb(verbs, "get", get_dataset, "show a data set, and what its check found")
    get.add_argument("id", metavar="ID")
    rm = verb(verbs, "rm", remove_datasets, "delete data sets that no unfinished job is to read")
    rm.add_argument("ids", metavar="ID", nargs="+")
    for parser in (push, get):
        add_json(parser)
    add_json(ls, quiet=True)


def push_dataset(options: argparse.Namespace) -> int:
    from distillery.cli.output import json_line, line, safe, tell
    from distillery.cli.transfer import TransferLine

    with connect(options) as distillery:
        with TransferLine(options.path) as progress:
            dataset = distillery.datasets.push(
                options.path, options.name, wait=False, progress=progress, **settings(options.options, "name")
            )
        if not options.detach:
            dataset.wait()
        if dataset.info.manifest is not None:
            for note in dataset.info.manifest.notes:
                tell(f"note: {safe(note)}")
        json_line(dataset.info) if options.json else line(dataset.id)
    return 0


def list_datasets(options: argparse.Namespace) -> int:
    from distillery.cli.output import json_line, line, table

    with connect(options) as distillery:
        found = distillery.datasets.list()
        if options.quiet or options.json:
            for one in found:
                line(one.id) if options.quiet else json_line(one)
        else:
            rows = ((one.id, one.name, one.state, f"{one.created:%Y-%m-%d %H:%M}") for one in found)
            table(("ID", "NAME", "STATE", "CREATED"), rows)
    return 0


def get_dataset(options: argparse.Namespace) -> int:
    from distillery.cli.output import json_line, line, safe

    with connect(options) as distillery:
        info = distillery.datasets.get(options.id).info
    if options.json:
        json_line(info)
        return 0
    line(f"{info.id}  {safe(info.name)}  {info.state}")
    if info.detail:
        line(safe(info.detail))
    if info.manifest is not None:
        line(f"classes: {safe(', '.join(info.manifest.classes))}")
        for name, split in info.manifest.splits.items():
            line(f"{name}: {split.images:,} images")
        for note in info.manifest.notes:
            line(f"note: {safe(note)}")
    return 0


def remove_datasets(options: argparse.Namespace) -> int:
    from distillery.cli.output import line, tell_error
    from distillery.errors import DistilleryError

    status = 0
    with connect(options) as distillery:
        for dataset_id in options.ids:
            try:
                distillery.datasets.get(dataset_id).delete()
                line(dataset_id)
            except DistilleryError as error:
                status = tell_error(error)
    return status
