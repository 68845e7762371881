"""The faults in full: `python -m tests.faults [CASE ...] [--database ...] [--scale N] [--soak MINUTES] [--write]`.

Without cases: all of them, the soak and the hostile one. `--write` puts their tables into docs/reliability.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.faults import hostile, hostile_table
from tests.faults.cases import CASES, POSTGRESQL_ONLY, WORKERS
from tests.faults.outcome import Outcome
from tests.faults.soak import soak
from tests.faults.stack import DatabaseKind, running_stack
from tests.faults.verdict import Verdict, judge

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
_SHOWN = 20  # of what went wrong in the hostile soak
_SOAK, _HOSTILE = "soak", "hostile"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    case: str
    database: str
    verdict: Verdict
    seconds: float
    failure: str = ""
    outcome: Outcome | None = None  # of the hostile soak

    @property
    def good(self) -> bool:
        return self.verdict.clean and not self.failure

    @property
    def notes(self) -> list[str]:
        """What went wrong."""
        return [] if self.good else [self.failure, *self.verdict.notes]


def main(arguments: list[str] | None = None) -> int:
    """Runs what is asked for; 0 when nothing was lost, doubled, damaged or left behind, and every case passed."""
    asked = _parser().parse_args(arguments)
    rows = []
    for case in asked.cases or [*CASES, _SOAK, _HOSTILE]:
        for row in _on_each(_databases(case, asked.database), case, asked):
            print("\n".join([_line(row), *(f"    {note}" for note in row.notes)]), flush=True)
            rows.append(row)
    tables = {"campaign": _table([row for row in rows if row.case != _HOSTILE]), "hostile": _hostile_table(rows)}
    for name, table in tables.items():
        if table:
            print(f"\n{table}")
            if asked.write:
                _write(name, table)
    return 0 if all(row.good for row in rows) else 1


def _databases(case: str, asked: DatabaseKind | None) -> tuple[DatabaseKind, ...]:
    if case in POSTGRESQL_ONLY:
        return () if asked == "sqlite" else ("postgresql",)
    return (asked,) if asked else ("sqlite", "postgresql")


def _on_each(kinds: Sequence[DatabaseKind], case: str, asked: argparse.Namespace) -> list[Row]:
    """The case on each database, side by side: a service of its own for each."""
    with ThreadPoolExecutor(max(len(kinds), 1)) as pool:
        return list(pool.map(lambda kind: _run(case, kind, asked), kinds))


def _run(case: str, kind: DatabaseKind, asked: argparse.Namespace) -> Row:
    start, failure, outcome = time.monotonic(), "", None
    workers, also = {_SOAK: (4, {}), _HOSTILE: (hostile.WORKERS, hostile.options(kind))}.get(
        case, (WORKERS.get(case, 1), {})
    )
    with (
        tempfile.TemporaryDirectory(prefix="distillery-faults-") as folder,
        running_stack(Path(folder) / "home", kind, workers=workers, **also) as stack,
    ):
        try:
            if case == _SOAK:
                memory = soak(stack, asked.soak_jobs, asked.soak)
                print(
                    f"    largest process: {memory.early:.0f} MiB, later {memory.late:.0f} MiB ({memory.growth:.2f}x)"
                )
            elif case == _HOSTILE:
                outcome = hostile.hostile(stack, 60 * asked.hostile)
                assert not outcome.wrong, "; ".join(outcome.wrong[:_SHOWN])
                assert outcome.flat, "the memory of the api or of a worker has grown"
            else:
                CASES[case](stack, asked.scale)
            stack.wait_ended()
        except AssertionError as error:
            failure = f"{case}: {error or _failed_line(error)}"
        verdict = outcome.verdict if outcome else judge(stack)
    return Row(case, kind, verdict, time.monotonic() - start, failure, outcome)


def _failed_line(error: AssertionError) -> str:
    return traceback.extract_tb(error.__traceback__)[-1].line or "an assertion"


def _hostile_table(rows: list[Row]) -> str:
    found = {row.database: row.outcome for row in rows if row.outcome is not None}
    return hostile_table.table(found) if found else ""


def _table(rows: list[Row]) -> str:
    if not rows:
        return ""
    head = "| Case | Database | Faults | Accepted | Finished | Lost | Doubled | Orphans | Damaged files | Seconds |"
    total = Verdict()
    for row in rows:
        total.add(row.verdict)
    last = Row("all", "", total, sum(row.seconds for row in rows))
    return "\n".join([head, "|---|---|" + "---:|" * 8, *map(_line, [*rows, last])])


def _line(row: Row) -> str:
    found = row.verdict
    counts = (found.faults, found.accepted, found.finished, found.lost, found.doubled, found.orphans, found.damaged)
    name = row.case if row.good else f"**{row.case}: failed**"
    return f"| {name} | {row.database} | {' | '.join(map(str, counts))} | {row.seconds:.0f} |"


def _write(name: str, table: str) -> None:
    begin, end = f"<!-- {name}: written by make chaos -->", f"<!-- end of {name} -->"
    before, _, rest = PAGE.read_text().partition(begin)
    _, _, after = rest.partition(end)
    PAGE.write_text(f"{before}{begin}\n\n{table}\n\n{end}{after}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", choices=[*CASES, _SOAK, _HOSTILE, []], metavar="CASE",
        help=", ".join([*CASES, _SOAK, _HOSTILE]),
    )  # fmt: skip
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="both, if left out")
    parser.add_argument("--scale", type=int, default=5, help="how often each case injects its faults")
    parser.add_argument("--soak", type=float, default=15.0, metavar="MINUTES")
    parser.add_argument("--soak-jobs", type=int, default=200)
    parser.add_argument("--hostile", type=float, default=10.0, metavar="MINUTES")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
