"""What a run is given besides its spec."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

_PATHS = ("out_dir", "data_dir", "cache_dir", "resume_from")


@dataclass(frozen=True)
class RunOptions:
    """Where a run reads and writes, and what it may use.

    Attributes:
        out_dir: gets the artifacts, `events.jsonl` and `checkpoint.safetensors`.
        cache_dir: trained teachers, students alone and teachers' logits, shared by all runs.
        inputs: the files that the spec's `inputs()` ask for, by their place.
        names: of what was sent, for the reader of reports: by place in the spec its `id` and its `name`.
        resume_from: a checkpoint of the same spec to go on from.
        threads: CPU threads of the whole run; all cores if None.
        memory: bytes that all processes of the run may hold; what the machine has if None.
        device: what a spec's `auto` means here: `auto` (a GPU where there is one), `cpu` or `cuda`.
        checkpoint_seconds: longest time between checkpoints.
        checkpoint_epochs: also one after so many epochs of a phase; none if None.
    """

    out_dir: Path
    data_dir: Path
    cache_dir: Path
    download: bool = True
    inputs: Mapping[str, Path] = field(default_factory=dict)
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    resume_from: Path | None = None
    threads: int | None = None
    memory: int | None = None
    device: str = "auto"
    checkpoint_seconds: float = 30.0
    checkpoint_epochs: int | None = None

    def called(self, place: str, otherwise: str) -> str:
        """The name of what was sent and stands at this place of the spec; `otherwise` where it has none."""
        return self.names.get(place, {}).get("name", otherwise)

    def to_json(self) -> dict[str, Any]:
        """The options as JSON data, for another process."""
        data = asdict(self) | {"inputs": {place: str(file) for place, file in self.inputs.items()}}
        return data | {key: str(data[key]) for key in _PATHS if data[key] is not None}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> RunOptions:
        """What `to_json` gave."""
        paths = {key: Path(data[key]) for key in _PATHS if data[key] is not None}
        inputs = {place: Path(file) for place, file in data["inputs"].items()}
        return cls(**(data | paths | {"inputs": inputs}))
