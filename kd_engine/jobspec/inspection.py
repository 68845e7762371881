"""What the kinds of job that train nothing have in common."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from kd_engine.jobspec.distill import Labels, Resources, Text
from kd_engine.jobspec.service_options import ServiceOptions
from kd_engine.schema.spec_error import wrong


class InspectionSpec(ServiceOptions):
    """A job that looks at something and trains nothing: it takes one device, and leaves nothing to default."""

    name: Text = Field("", description="For people; need not be unique.")
    labels: Labels = Field(default_factory=dict, max_length=64)
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _one_device(self) -> Self:
        if self.resources.devices > 1:
            message = "a job that trains nothing takes one device; leave 'devices' out."
            raise wrong("not_used", message, "resources", "devices")
        return self

    @property
    def student_name(self) -> str:
        """Empty: there is none, or only the job that the network comes from knows what it is."""
        return ""

    @property
    def planned_epochs(self) -> int:
        """None: nothing is trained."""
        return 0

    @property
    def formulas(self) -> dict[str, int]:
        """None: nothing is trained."""
        return {}

    def resolved(self) -> Self:
        """The same: nothing is left to default."""
        return self
