"""A job spec: what a user asks for, in the short or the long form, and what that resolves to. No torch.

`JobSpec.model_validate(body)` checks what was written; `spec.resolved()` fills in every default and turns the short
form (`temperature`, `alpha`) into `losses` and `ce_weight`, so that nothing a run needs is left implicit. Resolving a
resolved spec changes nothing.

A body with another `kind` is of another class; `parse_spec` makes whichever it is, by the rows of `kinds`.
"""

from __future__ import annotations

from kd_engine.jobspec.check_dataset import CheckSpec
from kd_engine.jobspec.dataset import DatasetSpec
from kd_engine.jobspec.distill import JobSpec, ObjectiveSpec, Resources
from kd_engine.jobspec.evaluate import EvaluateSpec
from kd_engine.jobspec.hashes import alone_hash, canonical_hash, teacher_hash
from kd_engine.jobspec.inputs import NetworkInput, network_file
from kd_engine.jobspec.kinds import KINDS, AnySpec, Kind, parse_spec, warnings_of
from kd_engine.jobspec.networks import NetworkOfJob, StudentSpec, TeacherSpec
from kd_engine.jobspec.register_model import RegisterSpec
from kd_engine.jobspec.repeats import RepeatsUntil
from kd_engine.jobspec.sweep import SweepSpec
from kd_engine.jobspec.training import TrainingSpec

__all__ = [
    "KINDS",
    "AnySpec",
    "CheckSpec",
    "DatasetSpec",
    "EvaluateSpec",
    "JobSpec",
    "Kind",
    "NetworkInput",
    "NetworkOfJob",
    "ObjectiveSpec",
    "RegisterSpec",
    "RepeatsUntil",
    "Resources",
    "StudentSpec",
    "SweepSpec",
    "TeacherSpec",
    "TrainingSpec",
    "alone_hash",
    "canonical_hash",
    "network_file",
    "parse_spec",
    "teacher_hash",
    "warnings_of",
]
