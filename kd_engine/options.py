"""What a run is given besides its spec."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class RunOptions:
    """Where a run reads and writes, and what it may use.

    Attributes:
        out_dir: gets the artifacts, `events.jsonl` and `checkpoint.safetensors`.
        cache_dir: trained teachers, students alone and teachers' logits, shared by all runs.
        teacher_files: the networks of other jobs that the spec's teacher is made of, in its order.
        model_file: the network that `model.job` of an evaluation stands for.
        resume_from: a checkpoint of the same spec to go on from.
        threads: CPU threads; all cores if None.
        device: what a spec's `auto` means here: `auto` (a GPU where there is one), `cpu` or `cuda`.
        checkpoint_seconds: longest time between checkpoints.
    """

    out_dir: Path
    data_dir: Path
    cache_dir: Path
    download: bool = True
    teacher_files: tuple[Path, ...] = ()
    model_file: Path | None = None
    resume_from: Path | None = None
    threads: int | None = None
    device: str = "auto"
    checkpoint_seconds: float = 30.0
