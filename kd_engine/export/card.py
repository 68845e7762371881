"""The model card: what a student is, how well it does on which class, and where it should not be trusted.

After Mitchell et al. 2019, Model Cards for Model Reporting (arXiv:1810.03993), with what a run knows of itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kd_engine.data.dataset import Dataset
from kd_engine.spec import JobSpec

Names = Mapping[str, Mapping[str, str]]
MOST_CLASSES = 100  # in the table; of more, the worst
_FORMS = {
    "onnx": "ONNX: float32 images [batch, channels, height, width] with pixels in [0, 1]; normalisation inside",
    "onnx_int8": "the same with 8-bit weights and activations",
    "torch_export": "`torch.export` program, the same input",
}


def model_card(spec: JobSpec, data: Dataset, report: dict[str, Any]) -> str:
    """The card as Markdown.

    Args:
        spec: settled.
        report: as `report.make_report` gives it, with its `export` and the `names` of what was sent.
    """
    student = report["details"]["student"]
    names: Names = report["names"]
    name = spec.name or f"{spec.student.model} on {names.get('dataset', {}).get('name', spec.dataset_name)}"
    sections = [
        f"# {_plain(name)}",
        "A small image classifier, trained by knowledge distillation.",
        _what(data, student),
        _files(report["export"]),
        _training(spec, data, report["seeds"], names),
        _quality(report),
        _by_class(student["classes"]),
        _limits(data, student),
    ]
    return "\n\n".join(sections) + "\n"


def _what(data: Dataset, student: dict[str, Any]) -> str:
    channels, height, width = data.shape
    colour = "grey" if channels == 1 else "RGB"
    return _table(
        ("", ""),
        [
            ("network", _code(student["model"])),
            ("parameters", f"{student['parameters']:,}"),
            ("operations an image", f"{student['flops']:,} FLOPs"),
            ("input", f"one {colour} image, {height} x {width} pixels"),
            ("output", f"one of {len(data.classes)} classes"),
        ],
    )


def _files(export: dict[str, dict[str, Any]]) -> str:
    rows = [("`student.safetensors`", "weights, for this project", "")]
    for form, found in export.items():
        if "error" not in found:
            rows.append((_code(found["file"]), _FORMS[form], _checked(found)))
    use = (
        "Name the pictures of a folder, with `predict.py` beside the model:\n\n"
        "    pip install onnxruntime pillow\n    python predict.py student.onnx FOLDER"
    )
    table = _table(("file", "what it is", "checked"), rows)
    return (
        f"## Files\n\n{table}\n\n{use}" if "error" not in export.get("onnx", {"error": ""}) else f"## Files\n\n{table}"
    )


def _checked(found: dict[str, Any]) -> str:
    if "largest_difference" in found:
        return f"logits within {found['largest_difference']:.1e} of PyTorch's on {found['checked_images']} test images"
    difference = found["difference"]
    return f"test accuracy {_share(found['test_accuracy'])}; {_points(difference)} points from float32"


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


def _quality(report: dict[str, Any]) -> str:
    rows = [
        (row["network"], _code(row["model"]), f"{row['parameters']:,}", _share(row["test_accuracy"]))
        for row in report["rows"]
    ]
    table = _table(("network", "model", "parameters", "test accuracy (95 % interval)"), rows)
    return f"## How good it is\n\n{table}\n\n{report['summary']}"


def _by_class(classes: Sequence[dict[str, Any]]) -> str:
    shown = list(classes)
    if len(shown) > MOST_CLASSES:
        shown = sorted(shown, key=lambda row: (row["recall"] is None, row["recall"] or 0.0))[:MOST_CLASSES]
    rows = [
        (_plain(row["name"]), f"{row['images']:,}", _percent(row["recall"]), _percent(row["precision"]))
        for row in shown
    ]
    title = "By class" if len(shown) == len(classes) else f"By class: the {MOST_CLASSES} worst of {len(classes):,}"
    table = _table(("class", "test images", "recall", "precision"), rows)
    return f"## {title}\n\n{table}"


def _limits(data: Dataset, student: dict[str, Any]) -> str:
    worst = min((row for row in student["classes"] if row["recall"] is not None), key=lambda row: row["recall"])
    lines = [
        f"It names one of its {len(data.classes)} classes for any picture, also for one that shows none of them.",
        "The numbers above hold for pictures like those of the test split; nobody measured others.",
        f"Its weakest class is {_plain(worst['name'])}: {_percent(worst['recall'])} of its test images are found.",
        f"Its probabilities are off by {_percent(student['test_ece'])} on average (expected calibration error).",
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


def _share(estimate: dict[str, Any]) -> str:
    low, high = (100 * bound for bound in estimate["interval"])
    return f"{100 * estimate['mean']:.2f} % ({low:.2f} to {high:.2f})"


def _points(estimate: dict[str, Any]) -> str:
    low, high = (100 * bound for bound in estimate["interval"])
    return f"{100 * estimate['mean']:+.2f} ({low:+.2f} to {high:+.2f})"
