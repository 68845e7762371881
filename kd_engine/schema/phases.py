"""The phases of a job: what each is called, and what a trainer in it is doing. The one place where they are written.

A phase trains networks of one role; one training in it is a node of the job's plan. A job that trains nothing has one
phase, of the name of its kind (`jobspec.kinds`).
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

TEACHER: Final = "teacher"  # trained, or loaded; then measured
BASELINE: Final = "baseline"  # the student alone
STUDENT: Final = "student"  # distilled

TrainedPhase = Literal["teacher", "baseline", "student"]
# of a job that trains nothing: the name of its kind
Phase = Literal[TrainedPhase, "evaluate", "check", "register"]
PHASES: tuple[TrainedPhase, ...] = (TEACHER, BASELINE, STUDENT)  # in order

# what a phase's network is called in reports, tables and pictures
NETWORKS: dict[TrainedPhase, str] = {TEACHER: "teacher", BASELINE: "student alone", STUDENT: "distilled"}
# what a trainer in it is doing, after "it was"
ACTIVITIES: dict[TrainedPhase, str] = {
    TEACHER: "training the teacher",
    BASELINE: "training the student alone",
    STUDENT: "training the student",
}


class NodeName(NamedTuple):
    """Which training of a job's plan.

    Attributes:
        repeat: of the seeds, from 0; the teacher of all repeats is of repeat 0.
        trial: of a sweep, from 0; None where the job is none.
    """

    phase: TrainedPhase
    repeat: int = 0
    trial: int | None = None
