"""Tables in the docs hold what the code holds: settings, spec keys and defaults, losses and other named things with
their parameters, error codes, end reasons, packages.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from api.http.errors import CODES
from distillery.states import TRANSITIONS, EndReason
from docs import document_tables, settings_table
from kd_engine.catalog import EXPORTERS, MODELS, ModelParams
from kd_engine.catalog.dataset_params import ArraysParams, ImageFolderParams, UploadedParams
from kd_engine.catalog.models.timm import TimmParams
from kd_engine.images.augmentations import AUGMENTATIONS, count_views
from kd_engine.jobspec import DatasetSpec, EvaluateSpec, JobSpec, Resources, StudentSpec, TeacherSpec, TrainingSpec
from kd_engine.jobspec.warnings import CODES as CODES_OF_WARNINGS
from kd_engine.losses import LOSSES, Loss
from kd_engine.optim.optimizers import OPTIMIZERS
from kd_engine.optim.schedules import SCHEDULES
from tests.deploy.exported import exported
from tests.docs.blocks import ROOT

DOCS = ROOT / "docs"


def rows(text: str) -> list[list[str]]:
    """The cells of the rows of all tables whose first cell is code or an edge."""
    lines = [line for line in text.splitlines() if line.startswith(("| `", "| (new)"))]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def section(path: Path, title: str) -> str:
    """What stands under a heading, up to the next one."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", path.read_text(), re.MULTILINE | re.DOTALL)
    assert found is not None, f"{path.name} has no section '{title}'"
    return found[1]


def test_settings() -> None:
    _, found, _ = settings_table.split((DOCS / "settings.md").read_text())

    assert found == settings_table.table(), "run: make docs"


def test_documents(tmp_path: Path) -> None:
    page = tmp_path / "documents.md"
    page.write_text((DOCS / "documents.md").read_text())
    document_tables.write(page)
    assert page.read_text() == (DOCS / "documents.md").read_text(), "run: make docs"
    assert all(f"### {model.__name__}" in page.read_text() for model in document_tables.DOCUMENTS)


def test_the_table_of_settings_is_written_and_nothing_else(tmp_path: Path) -> None:
    written = (DOCS / "settings.md").read_text()
    page = tmp_path / "settings.md"
    page.write_text(written.replace("| `KD_PORT` |", "| `KD_DOOR` |"))
    settings_table.write(page)
    assert page.read_text() == written


@pytest.mark.parametrize(
    ("title", "model"),
    [
        ("The job", JobSpec),
        ("Data set", DatasetSpec),
        ("Your own pictures", ImageFolderParams),
        ("Your own arrays", ArraysParams),
        ("A data set that you sent", UploadedParams),
        ("Teacher", TeacherSpec),
        ("Student", StudentSpec),
        ("Training", TrainingSpec),
        ("Networks of timm", TimmParams),
        ("Resources", Resources),
        ("Evaluate again", EvaluateSpec),
    ],
)
def test_keys_of_the_spec(title: str, model: type[BaseModel]) -> None:
    found = {key.strip("`"): default for key, default, _ in rows(section(DOCS / "spec.md", title))}

    # what every network has is said once, for all of them
    common = set(ModelParams.model_fields) if issubclass(model, ModelParams) else set()
    assert set(found) == set(model.model_fields) - common
    for key, written in found.items():
        field = model.model_fields[key]
        if field.is_required():
            assert written == "required", key
        elif field.get_default(call_default_factory=True) is None:
            # what comes in its place depends on the rest of the spec, and is said in words
            assert not written.startswith("`") or (key, written) == ("role", '`"student"`'), key
        else:
            assert written == as_written(field.get_default(call_default_factory=True)), key


def as_written(value: Any) -> str:
    """As a user would write a default in a spec."""
    if isinstance(value, BaseModel):
        name = getattr(value, "name", None)
        return f'`"{name}"`' if name else "all defaults"
    return f"`{json.dumps(list(value) if isinstance(value, tuple) else value)}`"


def described(title: str) -> dict[str, list[str]]:
    """The rows of a table of named things, by name; a row may stand for several."""
    table = rows(section(DOCS / "spec.md", title))
    return {name: row for row in table for name in re.findall(r"`([^`]+)`", row[0])}


def parameters(cell: str) -> dict[str, Any]:
    """Of ``weight=0.9` `stage=2``."""
    return {key: json.loads(value) for key, value in re.findall(r"`(\w+)=([^`]+)`", cell)}


def defaults(model: type[BaseModel], leave_out: set[str]) -> dict[str, Any]:
    """As JSON has them."""
    fields = {key: field for key, field in model.model_fields.items() if key not in leave_out}
    return {key: json.loads(json.dumps(field.get_default(call_default_factory=True))) for key, field in fields.items()}


@pytest.mark.parametrize(
    ("title", "classes", "leave_out"),
    [
        ("Optimizers and schedules", {**OPTIMIZERS, **SCHEDULES}, {"name"}),
        ("Augmentations", AUGMENTATIONS, {"name"}),
        ("Networks", {name: row.params for name, row in MODELS.items()}, set(ModelParams.model_fields)),
    ],
)
def test_named_things_and_their_parameters(
    title: str, classes: Mapping[str, type[BaseModel]], leave_out: set[str]
) -> None:
    found = described(title)

    assert set(found) == set(classes)
    for name, cls in classes.items():
        assert parameters(found[name][1]) == defaults(cls, leave_out), name


def test_losses_their_parameters_and_papers() -> None:
    found = described("Losses")

    assert set(found) == set(LOSSES)
    for name, cls in LOSSES.items():
        # a warm-up is a key of every loss: it stands here where it has a default of its own
        warmup = Loss.model_fields["warmup_epochs"].default
        leave_out = {"kind"} | ({"warmup_epochs"} if cls.model_fields["warmup_epochs"].default == warmup else set())
        assert parameters(found[name][1]) == defaults(cls, leave_out), name
        assert found[name][3] in inspect.getsource(sys.modules[cls.__module__]) or "et al." in found[name][3], name


def test_views_of_augmentations() -> None:
    for name, row in described("Augmentations").items():
        count = count_views([AUGMENTATIONS[name].model_validate({})], (3, 32, 16))
        written = {"endless": None, "height x width": 32 * 16}.get(row[3], row[3])
        assert count == (int(written) if isinstance(written, str) else written), name


def test_forms_of_the_student_and_their_files() -> None:
    found = {row[0].strip("`"): row[1] for row in rows(section(DOCS / "engine.md", "Ship the student"))}

    assert set(found) == set(EXPORTERS)
    assert all(found[form].startswith(f"`{row.file}`") for form, row in EXPORTERS.items())


def test_error_codes() -> None:
    found = [tuple(row) for row in rows(section(DOCS / "api.md", "Errors"))]

    assert found == [(f"`{code}`", str(status), title) for code, (status, title) in CODES.items()]


def test_codes_of_warnings() -> None:
    found = [tuple(row) for row in rows(section(DOCS / "spec.md", "Warnings"))]

    assert found == [(f"`{code}`", meaning) for code, meaning in CODES_OF_WARNINGS.items()]


def test_end_reasons() -> None:
    found = [row[:3] for row in rows(section(DOCS / "architecture.md", "Why a job ends"))]

    assert found == [[f"`{reason}`", str(reason.state), "yes" if reason.retryable else "no"] for reason in EndReason]


def test_edges_between_states() -> None:
    edges = {row[0] for row in rows(section(DOCS / "architecture.md", "States"))}

    expected = {f"`{source}` → `{target}`" for source, targets in TRANSITIONS.items() for target in targets}
    assert edges == expected | {"(new) → `queued`"}


def test_every_direct_dependency_has_its_reason_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    wanted = [re.split(r"[\[<>=~!; ]", requirement)[0] for group in groups for requirement in group]
    found = [row[0].strip("`") for row in rows((DOCS / "decisions" / "002-dependencies.md").read_text())]

    assert sorted(found) == sorted(name for name in wanted if name != project["name"])  # extras that stand on others


def test_every_path_of_the_api_is_documented() -> None:
    from api.app.create import create_app
    from jobs.settings import Settings

    paths = create_app(Settings()).openapi()["paths"]
    page = (DOCS / "api.md").read_text()

    for path, operations in paths.items():
        written = path.replace("{job_id}", "{id}")
        last = "/" + written.rsplit("/", 1)[-1]
        assert written in page or (written == "/readyz" and last in page), written
        for verb in operations:
            assert re.search(rf"^\| \[[^\]]*{verb.upper()}\b[^\]]*\]", page, re.MULTILINE), (verb, path)


def test_metrics(tmp_path: Path) -> None:
    found = [tuple(row) for row in rows(section(DOCS / "observability.md", "Metrics"))]

    by_process = exported(tmp_path)
    expected = []
    for name in sorted(
        {name for families in by_process.values() for name in families if name.startswith("distillery_")}
    ):
        of = [process for process, families in by_process.items() if name in families]
        family = by_process[of[0]][name]
        labels = ", ".join(f"`{label}`" for label in sorted(family.labels))
        expected.append((f"`{name}`", family.type, ", ".join(of), labels, family.text))
    assert found == expected
