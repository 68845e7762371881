"""A job that looks at a data set that somebody sent, before anything is trained on it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from kd_engine.spec.handling import Handled
from kd_engine.spec.job import Labels, Resources, Text
from kd_engine.spec.networks import Source


class CheckSpec(Handled):
    """One check. Made by `POST /datasets`, never by hand: the file comes with it."""

    kind: Literal["check"]
    name: Text = Field("", description="For people; need not be unique.")
    upload_sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="Of the file that was sent.")
    test: float = Field(0.2, gt=0, lt=1, description="Share of each class to test on, where the file has no splits.")
    broken: Literal["refuse", "skip"] = Field(
        "refuse", description="What becomes of pictures that cannot be decoded: all is refused, or they are left out."
    )
    labels: Labels = Field(default_factory=dict, max_length=64)
    resources: Resources = Resources()

    @property
    def dataset_name(self) -> str:
        """Empty: the data set has no name until it was checked."""
        return ""

    @property
    def student_name(self) -> str:
        """Empty: nothing is trained."""
        return ""

    @property
    def planned_epochs(self) -> int:
        """None: nothing is trained."""
        return 0

    def sources(self) -> tuple[Source, ...]:
        """No networks of other jobs."""
        return ()

    def resolved(self) -> CheckSpec:
        """The same: a check leaves nothing to default."""
        return self
