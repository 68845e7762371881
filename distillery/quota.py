"""How much one owner may have."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field


class Quota(BaseModel):
    """Limits of one owner; None: no limit. Over `running` a job waits, over the others what is new is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    running: int | None = Field(None, ge=1, description="Jobs that run at the same time.")
    queued: int | None = Field(None, ge=1, description="Jobs that wait or are paused.")
    bytes: int | None = Field(None, ge=1, description="Bytes of stored files, and of those on their way.")
    epochs: int | None = Field(None, ge=1, description="Planned epochs of all jobs that have not ended.")
    uploads: int | None = Field(None, ge=1, description="Files on their way at the same time.")

    def or_else(self, default: Self) -> Self:
        """This, with the limits of `default` where it has none of its own."""
        own = self.model_dump(exclude_none=True)
        return self.model_copy(update=default.model_dump() | own)

    @property
    def limits_new_jobs(self) -> bool:
        return any(limit is not None for limit in (self.queued, self.bytes, self.epochs))


NO_QUOTA = Quota()
