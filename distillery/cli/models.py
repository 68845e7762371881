"""`distillery models push | pull | ls`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from distillery.cli.options import add_json, connect, pair, settings, verb


def add_to(verbs: Any) -> None:
    push = verb(verbs, "push", push_model, "send a network, and wait until it is verified; prints the id")
    push.add_argument("path", metavar="FILE", help="an ONNX model, safetensors weights or logits as .npz")
    push.add_argument("--dataset", required=True, help="what it is for, by name or id")
    push.add_argument("--name", help="that of the file unless given")
    push.add_argument("--set", dest="options", type=pair, action="append", default=[], metavar="KEY=VALUE",
                      help="an option of POST /models, as model=timm/resnet18 or height=32")  # fmt: skip
    push.add_argument("--detach", action="store_true", help="do not wait until it is verified")
    pull = verb(verbs, "pull", pull_model, "fetch a network's weights; prints where they lie")
    pull.add_argument("id", metavar="ID")
    pull.add_argument("target", metavar="TARGET", nargs="?", default=".", help="a folder, or a path; here unless given")
    ls = verb(verbs, "ls", list_models, "list networks that were sent or kept, newest first")
    add_json(push)
    add_json(ls, quiet=True)


def push_model(options: argparse.Namespace) -> int:
    from distillery.cli.output import json_line, line
    from distillery.cli.transfer import TransferLine

    query: dict[str, Any] = settings(options.options, "name", "dataset")
    if "params" in query:
        query["params"] = json.loads(query["params"])
    with connect(options) as distillery:
        with TransferLine(options.path) as progress:
            model = distillery.models.push(
                options.path, options.dataset, options.name, wait=False, progress=progress, **query
            )
        if not options.detach:
            model.wait()
        json_line(model.info) if options.json else line(model.id)
    return 0


def pull_model(options: argparse.Namespace) -> int:
    from distillery.cli.output import line

    with connect(options) as distillery:
        line(str(distillery.models.get(options.id).pull(options.target)))
    return 0


def list_models(options: argparse.Namespace) -> int:
    from distillery.cli.output import json_line, line, table

    with connect(options) as distillery:
        found = distillery.models.list()
        if options.quiet or options.json:
            for one in found:
                line(one.id) if options.quiet else json_line(one)
        else:
            rows = ((one.id, one.name, one.state, one.dataset, one.role) for one in found)
            table(("ID", "NAME", "STATE", "DATASET", "ROLE"), rows)
    return 0
