"""`report.json` of a sweep: a row for each trial, what was chosen, and which differences are more than luck."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from kd_engine.schema.document import Document, Versioned
from kd_engine.schema.metrics import Estimate, Metric, Scores
from kd_engine.schema.model_details import PhaseDetails
from kd_engine.schema.report import NAMES, Duplicates, Exported, Source
from kd_engine.schema.warnings import SpecWarning

SWEEP_REPORT_VERSION = 1
Word = Literal["helped", "hurt", "no evidence", "not measured"]


class SeedRun(Document):
    """One network of one seed."""

    repeat: int
    seed: int
    source: Source
    scores: Scores = Field(description="On the validation and the test split; `best_epoch` where it was trained here.")


class SharedRow(Document):
    """Networks that several trials have in common: a teacher, or a student alone, which is their control."""

    model: str
    parameters: int
    scores: dict[str, Estimate] = Field(description="The first metric on the test split.")
    runs: tuple[SeedRun, ...]
    trials: tuple[int, ...] = Field(description="Which trials.")


class TrialRow(Document):
    """One trial, over all seeds."""

    number: int
    values: dict[str, JsonValue] = Field(description="What distinguishes it, by path into a job's spec.")
    state: Literal["succeeded", "diverged"]
    detail: str = Field("", description="Why a trial that ended early did.")
    model: str
    parameters: int | None = Field(None, description="Null where it has no network.")
    validation: float | None = Field(
        None, description="The first metric on the validation split, the mean over seeds: what trials are chosen by."
    )
    scores: dict[str, Estimate] = Field({}, description="The first metric on the test split.")
    difference: Estimate | None = Field(None, description="Of it, less the control's; the interval is of this alone.")
    p_value: float | None = Field(None, description="Of the difference alone; 1 with one seed.")
    corrected_p_value: float | None = Field(None, description="After Holm's correction for all trials of the sweep.")
    verdict: Word = Field(description="From the corrected p-value: true of all trials together in 95 of 100 sweeps.")
    runs: tuple[SeedRun, ...] = ()
    published_repeat: int | None = Field(None, description="The seed whose network is `file`: best on validation.")
    file: str | None = Field(None, description="Its network among the artifacts; `spec.json` beside it is its job.")


class SweepReport(Versioned):
    """The first of `metrics` chooses, and makes the verdicts."""

    version: int = Field(SWEEP_REPORT_VERSION, description=Versioned.model_fields["version"].description)
    kind: Literal["sweep"] = "sweep"
    task: str = Field(description="As `tasks` of GET /catalog names it.")
    metrics: tuple[Metric, ...] = Field(description="What was measured.")
    summary: str
    chosen: int = Field(
        description="The trial that does best on the validation split; the test split has no part in it."
    )
    verdict: Word = Field(description="Of the chosen trial.")
    why: Literal["corrected", "one_seed", "no_control"] = Field(
        description="What verdicts rest on: p-values corrected for the number of trials; one seed can carry none."
    )
    counts: dict[Word, int] = Field(description="How many trials there are of each verdict.")
    seeds: int
    paths: tuple[str, ...] = Field(description="What the trials differ in.")
    trials: tuple[TrialRow, ...]
    controls: tuple[SharedRow, ...] = Field(description="The students alone, one for each student and budget.")
    teachers: tuple[SharedRow, ...]
    details: dict[str, PhaseDetails] = Field(description="Of the chosen trial's published network of each phase.")
    classes: tuple[str, ...]
    published_repeat: int = Field(description="Of the chosen trial.")
    warnings: tuple[SpecWarning, ...] = ()
    names: dict[str, dict[str, str]] = Field({}, description=NAMES)
    duplicates: Duplicates = Duplicates()
    export: dict[str, Exported] = Field({}, description="The chosen student, by form.")

    @property
    def main(self) -> str:
        """The key of the score that the verdicts are about."""
        return self.metrics[0].key("test")
