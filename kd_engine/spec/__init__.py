"""A job spec: what a user asks for, in the short or the long form, and what that resolves to. No torch.

`JobSpec.model_validate(body)` checks what was written; `spec.resolved()` fills in every default and turns the short
form (`temperature`, `alpha`) into `losses` and `ce_weight`, so that nothing a run needs is left implicit. Resolving a
resolved spec changes nothing.

A body with `"kind": "evaluate"` is an `EvaluateSpec`, one with `"check"` a `CheckSpec`, one with `"register"` a
`RegisterSpec`; `parse_spec` makes whichever it is.
"""

from __future__ import annotations

from kd_engine.spec.check import CheckSpec
from kd_engine.spec.dataset import DatasetSpec
from kd_engine.spec.evaluate import EvaluateSpec
from kd_engine.spec.hashes import alone_hash, canonical_hash, teacher_hash
from kd_engine.spec.job import Export, JobSpec, Resources
from kd_engine.spec.kinds import AnySpec, parse_spec
from kd_engine.spec.networks import NetworkOfJob, Source, StudentSpec, TeacherSpec, network_file
from kd_engine.spec.register import RegisterSpec
from kd_engine.spec.repeats import RepeatsUntil
from kd_engine.spec.training import TrainingSpec
from kd_engine.spec.warnings import warnings_of

__all__ = [
    "AnySpec",
    "CheckSpec",
    "DatasetSpec",
    "EvaluateSpec",
    "Export",
    "JobSpec",
    "NetworkOfJob",
    "RegisterSpec",
    "RepeatsUntil",
    "Resources",
    "Source",
    "StudentSpec",
    "TeacherSpec",
    "TrainingSpec",
    "alone_hash",
    "canonical_hash",
    "network_file",
    "parse_spec",
    "teacher_hash",
    "warnings_of",
]
