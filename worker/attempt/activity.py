"""What a trainer is doing, in words, from what it reports."""

from __future__ import annotations

from kd_engine.jobspec import KINDS
from kd_engine.schema.events import EpochEnd, Event, PhaseEnded, PhaseStarted, Progress, RunStarted, Working
from kd_engine.schema.phases import ACTIVITIES, Phase

_WORDS = {kind.name: kind.activity for kind in KINDS.values()} | {
    str(phase): words for phase, words in ACTIVITIES.items()
}


class Doing:
    """Hears a trainer's events. `words` follow "it was": "training the student (epoch 3 of 10)"."""

    def __init__(self) -> None:
        self.words = "starting"
        self.phase: Phase | None = None

    def heard(self, event: Event) -> None:
        match event:
            case Working():
                self.words = event.doing
            case RunStarted():
                self.words = "reading what it needs"
            case PhaseStarted():
                self.phase, self.words = event.phase, _WORDS[event.phase]
            case Progress():
                self._at(event.phase, event.epoch)
            case EpochEnd():
                self._at(event.phase, event.epoch)
            case PhaseEnded():
                self.words = f"through with {_WORDS[event.phase]}"

    def _at(self, phase: Phase, epoch: int) -> None:
        self.phase = phase
        self.words = f"{_WORDS[phase]} (epoch {epoch})" if epoch > 0 else _WORDS[phase]
