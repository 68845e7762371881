"""What is to be said of a spec that can be run."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class SpecWarning(BaseModel):
    """One thing to look at before the job has run."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    code: str = Field(description="Its kind, for programs.")
    pointer: str = Field(description="Where in the resolved spec: a JSON pointer (RFC 6901).")
    message: str = Field(description="What will happen, and what to try, for a person.")
