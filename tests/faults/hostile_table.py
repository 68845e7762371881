"""The table of the hostile soak, as docs/reliability.md has it: a row for each thing that was counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.faults.lies import LIES
from tests.faults.outcome import Outcome, Samples

_Cell = Callable[[Outcome], str]


def _done(what: str) -> _Cell:
    return lambda outcome: f"{outcome.tally.counts[what]:,}"


def _honest(*what: str) -> _Cell:
    return lambda outcome: " / ".join(f"{outcome.honest.counts[name]:,}" for name in what)


def _kinds(outcome: Outcome) -> int:
    return sum(f"lie: {lie.reader}, {lie.name}" in outcome.tally.counts for lie in LIES)


def _memory(samples: Samples) -> str:
    return f"{samples.early:.0f}, {samples.late:.0f} MiB ({samples.late / max(samples.early, 1):.2f}x)"


def _health(outcome: Outcome) -> str:
    ordered = sorted(outcome.health)
    last = ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]
    return f"{1000 * last:.0f} ms, {1000 * ordered[-1]:.0f} ms"


_ROWS: dict[str, _Cell] = {
    "honest jobs accepted / succeeded": lambda outcome: f"{outcome.honest_jobs:,} / {outcome.succeeded:,}",
    "their webhooks told": _honest("webhook told"),
    "honest data sets sent and checked": _honest("data set succeeded"),
    "lost / doubled / orphans / damaged files": lambda outcome: " / ".join(
        str(number)
        for number in (
            outcome.verdict.lost, outcome.verdict.doubled, outcome.verdict.orphans, outcome.verdict.damaged,
        )
    ),
    "files left behind; left to the garbage collector": lambda outcome: f"{len(outcome.left)}; {outcome.unswept}",
    "kill -9 of a trainer / of a worker": lambda outcome: " / ".join(
        str(outcome.kills[name]) for name in ("trainer", "worker")
    ),
    "trainers stopped (SIGSTOP)": _done("SIGSTOP of a trainer"),
    "lying files refused, for the right reason": _done("lying file, refused"),
    "kinds of them": lambda outcome: f"{_kinds(outcome)} of {len(LIES)}",
    "checks over `KD_TRAINER_MEMORY`, ended": _done("greedy check, ended"),
    "slow bodies cut off": _done("slow body, cut off"),
    "files begun and left; refused by quota": lambda outcome: "; ".join(
        f"{outcome.tally.counts[what]:,}" for what in ("file begun and left", "file begun, refused: too many")
    ),
    "requests of pages elsewhere refused": _done("request of a page elsewhere, refused"),
    "webhooks to dead addresses": _done("webhook to a dead address"),
    "connections held, idle / hostile": lambda outcome: f"{outcome.idle} / {outcome.crowd}",
    "memory of the api, largest of the second and of the last third": lambda outcome: _memory(outcome.api),
    "memory of a worker, the same": lambda outcome: _memory(outcome.worker),
    "`/healthz` asked; unanswered": lambda outcome: (
        f"{len(outcome.health) + outcome.unanswered:,}; {outcome.unanswered}"
    ),
    "`/healthz`, p99 and largest": _health,
    "other answers than expected": lambda outcome: str(len(outcome.wrong)),
    "minutes of it, and until all had ended": lambda outcome: (
        f"{outcome.seconds / 60:.0f}, {outcome.all_seconds / 60:.1f}"
    ),
}  # fmt: skip


def table(outcomes: Mapping[str, Outcome]) -> str:
    """A column for each database."""
    head = f"| | {' | '.join(outcomes)} |"
    lines = [head, "|---|" + "---:|" * len(outcomes)]
    lines += [f"| {name} | {' | '.join(cell(found) for found in outcomes.values())} |" for name, cell in _ROWS.items()]
    return "\n".join(lines)
