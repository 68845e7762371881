"""Which kind of job a body asks for."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, field_validator

from kd_engine.jobspec.check_dataset import CheckSpec
from kd_engine.jobspec.distill import JobSpec
from kd_engine.jobspec.evaluate import EvaluateSpec
from kd_engine.jobspec.register_model import RegisterSpec
from kd_engine.jobspec.sweep import SweepSpec
from kd_engine.schema.strict_model import unknown_name

AnySpec = JobSpec | SweepSpec | EvaluateSpec | CheckSpec | RegisterSpec
_KINDS: dict[str, type[JobSpec] | type[SweepSpec] | type[EvaluateSpec] | type[CheckSpec] | type[RegisterSpec]] = {
    "distill": JobSpec, "sweep": SweepSpec, "evaluate": EvaluateSpec, "check": CheckSpec, "register": RegisterSpec,
}  # fmt: skip


class _Kind(BaseModel):
    """Looked at before all else: each kind knows other keys."""

    kind: str = "distill"

    @field_validator("kind")
    @classmethod
    def _known(cls, kind: str) -> str:
        if kind not in _KINDS:
            raise unknown_name("kind of job", kind, _KINDS)
        return kind


def parse_spec(body: Any) -> AnySpec:
    """The spec that `body` (JSON data) is, by its `kind`; without one it is a distillation.

    Raises:
        pydantic.ValidationError: it is none.
    """
    kind = _Kind.model_validate(body).kind if isinstance(body, dict) else "distill"
    return _KINDS[kind].model_validate(body)
