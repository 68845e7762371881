"""Learning-rate schedules: the factor on the optimiser's rate as a function of training time, measured in epochs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from kd_engine.schema.registry import by_tag, tagged_union
from kd_engine.schema.strict_model import StrictModel


class Schedule(StrictModel):
    """Base of the schedules; every one may begin with a linear warm-up."""

    name: str
    warmup_epochs: float = Field(
        0.0, ge=0, le=10_000, description="Epochs of linear rise from 0 to where the schedule begins."
    )

    def factor(self, epoch: float, epochs: int, step: float = 0.0) -> float:
        """The factor on the learning rate after `epoch` epochs (fractions count) of `epochs`.

        Args:
            step: how much of an epoch the step is that the factor is for. A warm-up counts it as done: else the first
                step, of a whole epoch where that is one step, would be taken at rate 0.
        """
        if epoch < self.warmup_epochs:
            risen = min(1.0, (epoch + step) / self.warmup_epochs)
            return risen * self._after_warmup(self.warmup_epochs, epochs)
        return self._after_warmup(epoch, epochs)

    def _after_warmup(self, epoch: float, epochs: int) -> float:
        raise NotImplementedError(f"the schedule '{self.name}' has no formula")


class Constant(Schedule):
    """The full rate throughout."""

    name: Literal["constant"] = "constant"

    def _after_warmup(self, epoch: float, epochs: int) -> float:
        return 1.0


class MultiStep(Schedule):
    """Multiplied by `gamma` at each milestone."""

    name: Literal["multistep"] = "multistep"
    milestones: tuple[Annotated[int, Field(ge=1, le=10_000)], ...] = Field((), max_length=100, description="Epochs.")
    gamma: float = Field(0.1, gt=0, le=1)

    def _after_warmup(self, epoch: float, epochs: int) -> float:
        return self.gamma ** sum(epoch >= milestone for milestone in self.milestones)


class Cosine(Schedule):
    """Half a cosine from 1 to `final`: Loshchilov and Hutter, 2017, arXiv:1608.03983 (without restarts)."""

    name: Literal["cosine"] = "cosine"
    final: float = Field(0.0, ge=0, le=1, description="Factor at the end.")

    def _after_warmup(self, epoch: float, epochs: int) -> float:
        span = max(epochs - self.warmup_epochs, 1e-9)
        progress = min((epoch - self.warmup_epochs) / span, 1.0)
        return _cosine(1.0, self.final, progress)


class OneCycle(Schedule):
    """Up to the full rate along a cosine, then down to almost nothing: Smith and Topin, 2018, arXiv:1708.07120."""

    name: Literal["onecycle"] = "onecycle"
    rise: float = Field(0.3, gt=0, lt=1, description="Share of the epochs in which the rate rises.")
    start_divisor: float = Field(25.0, ge=1, le=1e6, description="The full rate over the rate at the start.")
    end_divisor: float = Field(1e4, ge=1, le=1e9, description="The rate at the start over the rate at the end.")

    def _after_warmup(self, epoch: float, epochs: int) -> float:
        span = max(epochs - self.warmup_epochs, 1e-9)
        progress = min((epoch - self.warmup_epochs) / span, 1.0)
        low = 1 / self.start_divisor
        if progress < self.rise:
            return _cosine(low, 1.0, progress / self.rise)
        return _cosine(1.0, low / self.end_divisor, (progress - self.rise) / (1 - self.rise))


def _cosine(start: float, end: float, progress: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))


SCHEDULES: dict[str, type[Schedule]] = by_tag([Constant, MultiStep, Cosine, OneCycle], tag="name")

if TYPE_CHECKING:
    ScheduleSpec = Schedule
else:
    ScheduleSpec: Any = tagged_union(SCHEDULES, tag="name", what="schedule")
