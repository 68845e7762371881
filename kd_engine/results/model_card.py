"""The model card: what a student is, how well it does on which class, and where it should not be trusted.

After Mitchell et al. 2019, Model Cards for Model Reporting (arXiv:1810.03993), with what a run knows of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from kd_engine.catalog.exporters import EXPORTERS, SCRIPT
from kd_engine.data.dataset import Dataset
from kd_engine.jobspec import JobSpec
from kd_engine.schema.metrics import Estimate
from kd_engine.schema.model_details import ClassRow, NetworkDetails
from kd_engine.schema.report import Exported, TrainingReport
from kd_engine.tasks import load_task
from kd_engine.tasks.base import Card

Names = Mapping[str, Mapping[str, str]]
MOST_CLASSES = 100  # in the table; of more, the worst


def model_card(spec: JobSpec, data: Dataset, report: TrainingReport) -> str:
    """The card as Markdown.

    Args:
        spec: settled.
        report: with its `export` and the `names` of what was sent.
    """
    student, names = report.details["student"], report.names
    name = spec.name or f"{spec.student.model} on {names.get('dataset', {}).get('name', spec.dataset_name)}"
    card = load_task(report.task).card(student)
    sections = [
        f"# {_plain(name)}",
        card.kind,
        _what(data, student, card),
        _files(report),
        _training(spec, data, report.seeds, names),
        _quality(report),
        _by_class(student.classes, card),
        _limits(card),
    ]
    return "\n\n".join(sections) + "\n"


def _what(data: Dataset, student: NetworkDetails, card: Card) -> str:
    channels, height, width = data.shape
    colour = "grey" if channels == 1 else "RGB"
    return _table(
        ("", ""),
        [
            ("network", _code(student.model)),
            ("parameters", f"{student.parameters:,}"),
            ("operations an image", f"{student.flops:,} FLOPs"),
            ("input", f"one {colour} image, {height} x {width} pixels"),
            ("output", card.output),
        ],
    )


def _files(report: TrainingReport) -> str:
    rows = [("`student.safetensors`", "weights, for this project", "")]
    for form, found in report.export.items():
        if found.file is not None:
            rows.append((_code(found.file), EXPORTERS[form].summary, _checked(found, report)))
    table = _table(("file", "what it is", "checked"), rows)
    models = [found.file for form, found in report.export.items() if EXPORTERS[form].script and found.file is not None]
    if not models or load_task(report.task).script is None:
        return f"## Files\n\n{table}"
    use = (
        f"Name the pictures of a folder, with `{SCRIPT}` beside the model:\n\n"
        f"    pip install onnxruntime pillow\n    python {SCRIPT} {models[0]} FOLDER"
    )
    return f"## Files\n\n{table}\n\n{use}"


def _checked(found: Exported, report: TrainingReport) -> str:
    if found.largest_difference is not None:
        return f"logits within {found.largest_difference:.1e} of PyTorch's on {found.checked_images} test images"
    assert found.difference is not None, "a form that answers otherwise is compared"
    score = _share(found.scores[report.main])
    return f"test {report.metrics[0].label} {score}; {_points(found.difference)} points from float32"


def _training(spec: JobSpec, data: Dataset, seeds: int, names: Names) -> str:
    losses, ce_weight = spec.objective()
    terms = ", ".join(f"{loss.kind} (weight {loss.weight:g})" for loss in losses)
    dataset = _sent(names["dataset"]) if "dataset" in names else _code(spec.dataset_name)
    rows = [
        ("data", f"{dataset}, sha256 `{data.sha256}`"),
        (
            "images",
            f"{len(data.train):,} to train on, {len(data.validation):,} to select by, {len(data.test):,} to test",
        ),
        ("teacher", _teacher(spec, names)),
        ("losses", f"{terms}, cross-entropy (weight {ce_weight:g})"),
        ("epochs", f"{spec.training.epochs}, batches of {spec.training.batch_size}"),
        ("seed", f"{spec.seed}" if seeds == 1 else f"the best of {spec.seed} to {spec.seed + seeds - 1}"),
    ]
    return f"## How it was trained\n\n{_table(('', ''), rows)}"


def _teacher(spec: JobSpec, names: Names) -> str:
    if spec.teacher.model is not None:
        return _code(spec.teacher.model)
    given = [_sent(named) for key, named in names.items() if key.startswith("teacher")]
    what = "networks of earlier jobs" if spec.teacher.ensemble else "a network given"
    return f"{what}: {', '.join(given)}" if given else what


def _sent(named: Mapping[str, str]) -> str:
    """What was sent, by the name that its owner gave it."""
    return f"{_plain(named['name'])} ({_code(named['id'])})"


def _quality(report: TrainingReport) -> str:
    rows = [
        (row.network, _code(row.model), f"{row.parameters:,}", _share(row.scores[report.main])) for row in report.rows
    ]
    head = ("network", "model", "parameters", f"test {report.metrics[0].label} (95 % interval)")
    return f"## How good it is\n\n{_table(head, rows)}\n\n{report.summary}"


def _by_class(classes: Sequence[ClassRow], card: Card) -> str:
    shown = list(classes)
    if len(shown) > MOST_CLASSES:
        shown = sorted(shown, key=lambda row: (card.by(row) is None, card.by(row) or 0.0))[:MOST_CLASSES]
    rows = [
        (_plain(row.name), f"{row.images:,}", *(_percent(show(row)) for show in card.columns.values())) for row in shown
    ]
    title = "By class" if len(shown) == len(classes) else f"By class: the {MOST_CLASSES} worst of {len(classes):,}"
    table = _table(("class", "test images", *card.columns), rows)
    return f"## {title}\n\n{table}"


def _limits(card: Card) -> str:
    lines = [
        *(_plain(limit) for limit in card.limits),
        "What is wrong or unfair in the training data or in the teacher, it has learned too.",
    ]
    return "## Limits\n\n" + "\n".join(f"- {line}" for line in lines)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _plain(text: str) -> str:
    """A user's text as one line that Markdown and HTML show as it is."""
    escaped = "".join(f"&#{ord(letter)};" if letter in "&<>|\\`*_[]#!" else letter for letter in text)
    return " ".join(escaped.split())


def _code(text: str) -> str:
    """A name of ours, of the catalogue."""
    return f"`{text}`"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f} %"


def _share(estimate: Estimate) -> str:
    assert estimate.interval is not None, "a share has one"
    low, high = (100 * bound for bound in estimate.interval)
    return f"{100 * estimate.mean:.2f} % ({low:.2f} to {high:.2f})"


def _points(estimate: Estimate) -> str:
    assert estimate.interval is not None, "a difference of shares has one"
    low, high = (100 * bound for bound in estimate.interval)
    return f"{100 * estimate.mean:+.2f} ({low:+.2f} to {high:+.2f})"
