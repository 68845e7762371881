"""The engine without a service.

python -m kd_engine run examples/digits.json out/        train what the spec asks for, files in out/
python -m kd_engine run examples/digits.json out/ --resume   go on from the checkpoint in out/
python -m kd_engine run spec.json out/ --teacher a/student.safetensors   learn from a finished network, or several
torchrun --nproc-per-node 2 -m kd_engine run spec.json out/   as with "devices": 2 in the spec, which needs no torchrun
python -m kd_engine evaluate out/student.safetensors --dataset digits   measure a finished network again
python -m kd_engine evaluate out/student.safetensors --dataset digits --teacher out/teacher.safetensors --out again/
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from kd_engine.catalog.tasks import main_metric
from kd_engine.jobspec import AnySpec, DatasetSpec, parse_spec
from kd_engine.jobspec.problems import field_problems
from kd_engine.schema.errors import EngineError
from kd_engine.schema.evaluation_report import read_report
from kd_engine.schema.events import EpochEnd, Event, PhaseEnded, Warned
from kd_engine.schema.extras import MissingExtra, engine_extra


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; returns the status: 0 done, 1 the run failed, 2 wrong spec or no engine, 130 interrupted."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asked = _parser().parse_args(arguments)
    try:
        return _run(asked) if asked.command == "run" else _evaluate(asked)
    except ValidationError as error:
        for problem in field_problems(error, getattr(asked, "body", None)):
            print(f"{problem.pointer or '(the whole spec)'}: {problem.message}", file=sys.stderr)
        return 2
    except EngineError as error:
        print(f"{error.code}: {error}", file=sys.stderr)
        return 1
    except MissingExtra as error:
        print(error, file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kd_engine", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    run = commands.add_parser("run", help="train what a spec asks for")
    run.add_argument("spec", type=Path, help="a JSON file, as it would be sent to POST /jobs")
    run.add_argument("out", type=Path, help="folder for the artifacts")
    run.add_argument("--resume", action="store_true", help="go on from the checkpoint in OUT")
    run.add_argument(
        "--teacher", type=Path, action="append", default=[], metavar="FILE",
        help="network file for a spec whose teacher is another job's; for an ensemble once a member, in its order",
    )  # fmt: skip
    run.add_argument(
        "--cache-dir", type=Path,
        help="trained teachers and students alone, and teachers' logits; OUT/cache by default. Runs that share it "
        "train each of them once",
    )  # fmt: skip
    run.add_argument("--model", type=Path, help="network file for a spec of kind evaluate")
    evaluate = commands.add_parser("evaluate", help="measure a finished network on a data set's test split")
    evaluate.add_argument("weights", type=Path, help="a student.safetensors")
    evaluate.add_argument("--dataset", required=True, help="a data set of the catalogue, or a JSON object as in a spec")
    evaluate.add_argument("--teacher", type=Path, help="a network file to compare with: agreement and divergence")
    evaluate.add_argument("--out", type=Path, help="folder for report.json and, up to 20 classes, confusion.png")
    evaluate.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    for command in (run, evaluate):
        command.add_argument("--data-dir", type=Path, default=Path(os.environ.get("KD_DATA_DIR", "var/data")))
        command.add_argument("--threads", type=int, default=None, help="CPU threads; all cores by default")
        command.add_argument("--no-download", action="store_true", help="fail rather than fetch a missing data set")
    return parser


def _run(asked: argparse.Namespace) -> int:
    asked.body = _read_json(asked.spec)
    spec = parse_spec(asked.body)
    if _files_differ(spec, {"teacher": len(asked.teacher), "model": int(asked.model is not None)}):
        return 2
    with engine_extra("`kd_engine run`"):
        from kd_engine.runs.entry import run
        from kd_engine.runs.plan_runner import CHECKPOINT_FILE
    from kd_engine.schema.run_request import RunOptions

    checkpoint = asked.out / CHECKPOINT_FILE
    stop = _stop_on_signals()
    options = RunOptions(
        out_dir=asked.out,
        data_dir=asked.data_dir,
        cache_dir=asked.cache_dir or asked.out / "cache",
        download=not asked.no_download,
        inputs=_files(spec, asked.teacher, asked.model),
        resume_from=checkpoint if asked.resume and checkpoint.exists() else None,
        threads=asked.threads,
    )
    finished = run(spec, options, emit=_show, should_stop=lambda: bool(stop))
    if finished.reason == "completed":
        # none of torchrun's other processes, nor of a job that only looks at something
        if "report.json" in finished.artifacts:
            print(read_report((asked.out / "report.json").read_text()).summary)
        return 0
    print(f"{finished.reason}: {finished.detail}", file=sys.stderr)
    return 130 if finished.reason == "interrupted" else 1


def _files(spec: AnySpec, teachers: Sequence[Path], model: Path | None) -> dict[str, Path]:
    """The files that were given, by the places of the spec's networks of other jobs."""
    places = [network.place for network in spec.networks() if network.place != "model"]
    return dict(zip(places, teachers, strict=True)) | ({} if model is None else {"model": model})


def _files_differ(spec: AnySpec, given: dict[str, int]) -> bool:
    """Says where the spec's networks of other jobs and the files given for them, by option, do not go together."""
    problems = []
    for source in spec.networks():
        option = source.place.partition("/")[0]
        given[option] -= 1
        if given[option] < 0:
            problems.append(
                f"/{source.place}/job: another job's network is known to the service alone; give its file with "
                f"--{option}."
            )
    for option, too_many in given.items():
        if too_many > 0:
            problems.append(f"--{option}: {too_many} more than the spec takes from other jobs; leave out the rest.")
    for problem in problems:
        print(problem, file=sys.stderr)
    return bool(problems)


def _evaluate(asked: argparse.Namespace) -> int:
    asked.body = _dataset_body(asked.dataset)
    dataset = DatasetSpec.model_validate(asked.body).resolved()
    with engine_extra("`kd_engine evaluate`"):
        from kd_engine.data.dataset import load
        from kd_engine.evaluation.evaluate_file import evaluate_file, publish_evaluation
        from kd_engine.platform.device import choose_device, set_up

    device = choose_device(asked.device)
    set_up(device, asked.threads)
    data = load(dataset, asked.data_dir, not asked.no_download).to(device)
    found = evaluate_file(asked.weights, dataset.name, data, device, teacher_file=asked.teacher)
    if asked.out is not None:
        publish_evaluation(found, asked.out)
    print(found.report.model_dump_json())
    return 0


def _dataset_body(text: str) -> object:
    if not text.lstrip().startswith("{"):
        return {"name": text}
    try:
        return json.loads(text)
    except ValueError as error:
        sys.exit(f"--dataset is not JSON: {error}")


def _read_json(path: Path) -> object:
    try:
        return json.loads(path.read_text())
    except OSError as error:
        sys.exit(f"cannot read the spec {path}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"{path} is not JSON: {error}")


def _stop_on_signals() -> list[int]:
    """A list that fills when SIGINT or SIGTERM comes; a second signal ends the process as usual."""
    seen: list[int] = []

    def note(number: int, _frame: object) -> None:
        seen.append(number)
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, note)
    return seen


def _show(event: Event) -> None:
    if isinstance(event, EpochEnd):
        print(
            f"{_whose(event)}  epoch {event.epoch}/{event.epochs}  "
            f"loss {event.metrics['train_loss']:.4f}  validation{_main(event, 'val')}  "
            f"{event.metrics['images_per_second']:,.0f} images/s"
        )
    elif isinstance(event, Warned):
        for warning in event.warnings:
            print(f"warning: {warning.pointer}: {warning.message}", file=sys.stderr)
    elif isinstance(event, PhaseEnded):
        print(f"{_whose(event)}  {event.source}  test{_main(event, 'test')}")


def _whose(event: EpochEnd | PhaseEnded) -> str:
    """`student 0`; in a sweep with the trial, the first one where several share it."""
    return f"{event.phase} {event.repeat}" + ("" if event.trial is None else f"  trial {event.trial}")


def _main(event: EpochEnd | PhaseEnded, split: Literal["val", "test"]) -> str:
    metric = main_metric(event.metrics, split)
    return "" if metric is None else f" {metric.show(event.metrics[metric.key(split)])}"


if __name__ == "__main__":
    sys.exit(main())
