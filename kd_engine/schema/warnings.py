"""What is to be said of a spec that can be run."""

from __future__ import annotations

from pydantic import Field

from kd_engine.schema.document import Document


class SpecWarning(Document):
    """One thing to look at before the job has run."""

    code: str = Field(description="Its kind, for programs.")
    pointer: str = Field(description="Where in the resolved spec: a JSON pointer (RFC 6901).")
    message: str = Field(description="What will happen, and what to try, for a person.")
