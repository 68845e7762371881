"""A job spec: what a user asks for, in the short or the long form, and what that resolves to. No torch.

`JobSpec.model_validate(body)` checks what was written; `spec.resolved()` fills in every default and turns the short
form (`temperature`, `alpha`) into `losses` and `ce_weight`, so that nothing a run needs is left implicit. Resolving a
resolved spec changes nothing.
"""

from __future__ import annotations

from kd_engine.spec.dataset import DatasetSpec
from kd_engine.spec.hashes import canonical_hash, teacher_hash
from kd_engine.spec.job import JobSpec, Resources
from kd_engine.spec.networks import StudentSpec, TeacherSpec
from kd_engine.spec.training import TrainingSpec

__all__ = [
    "DatasetSpec",
    "JobSpec",
    "Resources",
    "StudentSpec",
    "TeacherSpec",
    "TrainingSpec",
    "canonical_hash",
    "teacher_hash",
]
