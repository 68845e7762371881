"""The kinds of job, a row each, and which of them a body asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol, Self, cast

from pydantic import BaseModel, field_validator

from kd_engine.catalog import Facts
from kd_engine.jobspec.check_dataset import CheckSpec
from kd_engine.jobspec.dataset import DatasetSpec
from kd_engine.jobspec.distill import JobSpec, Resources
from kd_engine.jobspec.evaluate import EvaluateSpec
from kd_engine.jobspec.inputs import Input, NetworkInput
from kd_engine.jobspec.networks import ModelChoice
from kd_engine.jobspec.register_model import RegisterSpec
from kd_engine.jobspec.service_options import Webhook
from kd_engine.jobspec.sweep import SweepSpec
from kd_engine.jobspec.warnings import distillation_warnings
from kd_engine.schema.phases import PHASES
from kd_engine.schema.strict_model import unknown_name
from kd_engine.schema.warnings import SpecWarning


class AnySpec(Protocol):
    """What every kind of spec has; `ServiceOptions` has the methods' plainest form."""

    @property
    def kind(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def resources(self) -> Resources: ...
    @property
    def priority(self) -> int: ...
    @property
    def keep_days(self) -> float | None: ...
    @property
    def webhooks(self) -> tuple[Webhook, ...]: ...
    @property
    def reads(self) -> DatasetSpec | None: ...
    @property
    def dataset_name(self) -> str: ...
    @property
    def student_name(self) -> str: ...
    @property
    def planned_epochs(self) -> int: ...
    @property
    def formulas(self) -> dict[str, int]: ...
    def inputs(self) -> tuple[Input, ...]: ...
    def networks(self) -> tuple[NetworkInput, ...]: ...
    def choices(self) -> dict[str, ModelChoice]: ...
    def with_network(self, network: dict[str, Any]) -> dict[str, Any] | None: ...
    def refusal_of_outputs(self, form: str) -> tuple[str, str] | None: ...
    def resolved(self) -> Self: ...
    def to_json(self) -> dict[str, Any]: ...
    def model_copy(self, *, update: dict[str, Any]) -> Self: ...


def _none(spec: Any, facts: Facts) -> Iterator[SpecWarning]:
    yield from ()


class Kind(NamedTuple):
    """A kind of job.

    Attributes:
        name: as `kind` of a spec says it, and what its only phase is called where it trains nothing.
        spec: its grammar.
        run: `module:name` of the function that runs it, with the resolved spec and a `RunContext`; it returns the names
            of the artifacts.
        posted_at: the path of the API that makes such jobs.
        activity: what a trainer in it is doing, after "it was"; empty where `schema.phases` says it of each phase.
        publishes: the roles of the networks that later jobs may take from it.
        several_devices: whether several processes can share a run.
        warnings: what is to be looked at in a resolved spec.
    """

    name: str
    spec: type[BaseModel]
    run: str
    posted_at: str = "/jobs"
    activity: str = ""
    publishes: tuple[str, ...] = ()
    several_devices: bool = False
    warnings: Callable[[Any, Facts], Iterator[SpecWarning]] = _none

    @property
    def brings_upload(self) -> bool:
        """Whether such a job is made with a file, which it looks at."""
        return self.posted_at != "/jobs"


KINDS: dict[str, Kind] = {
    row.name: row
    for row in (
        Kind(
            name="distill",
            spec=JobSpec,
            run="kd_engine.runs.distill:run_distillation",
            publishes=PHASES,
            several_devices=True,
            warnings=distillation_warnings,
        ),
        Kind(name="sweep", spec=SweepSpec, run="kd_engine.runs.sweep:run_sweep", publishes=PHASES),
        Kind(
            name="evaluate",
            spec=EvaluateSpec,
            run="kd_engine.runs.evaluate:run_evaluation",
            activity="measuring the network",
        ),
        Kind(
            name="check",
            spec=CheckSpec,
            run="kd_engine.runs.check_dataset:run_check",
            posted_at="/datasets",
            activity="looking at the data set that was sent",
        ),
        Kind(
            name="register",
            spec=RegisterSpec,
            run="kd_engine.runs.register_model:run_register",
            posted_at="/models",
            activity="looking at the network that was sent",
            publishes=("model",),
        ),
    )
}


class _Kind(BaseModel):
    """Looked at before all else: each kind knows other keys."""

    kind: str = "distill"

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in KINDS:
            raise unknown_name("kind of job", kind, KINDS)
        return kind


def parse_spec(body: Any) -> AnySpec:
    """The spec that `body` (JSON data) is, by its `kind`; without one it is a distillation.

    Raises:
        pydantic.ValidationError: it is none.
    """
    kind = _Kind.model_validate(body).kind if isinstance(body, dict) else "distill"
    return cast(AnySpec, KINDS[kind].spec.model_validate(body))


def warnings_of(spec: AnySpec, facts: Facts | None = None) -> tuple[SpecWarning, ...]:
    """All that is to be said of a resolved spec, whoever describes, records or runs the job.

    Args:
        facts: of the data, where more is known of it than the spec says.
    """
    known = facts or (None if spec.reads is None else spec.reads.facts)
    return () if known is None else tuple(KINDS[spec.kind].warnings(spec, known))
