"""The faults in full: `python -m tests.faults [CASE ...] [--database ...] [--scale N] [--soak MINUTES] [--write]`.

Without cases: all of them and the soak. `--write` puts the table into docs/reliability.md.
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

from tests.faults.cases import CASES, POSTGRESQL_ONLY, WORKERS
from tests.faults.soak import soak
from tests.faults.stack import DatabaseKind, running_stack
from tests.faults.verdict import Verdict, judge

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reliability.md"
BEGIN, END = "<!-- campaign: written by make chaos -->", "<!-- end of campaign -->"
_SOAK = "soak"


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    case: str
    database: str
    verdict: Verdict
    seconds: float
    failure: str = ""

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
    for case in asked.cases or [*CASES, _SOAK]:
        for row in _on_each(_databases(case, asked.database), case, asked):
            print("\n".join([_line(row), *(f"    {note}" for note in row.notes)]), flush=True)
            rows.append(row)
    table = _table(rows)
    print(f"\n{table}")
    if asked.write:
        _write(table)
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
    start, failure = time.monotonic(), ""
    workers = 4 if case == _SOAK else WORKERS.get(case, 1)
    with (
        tempfile.TemporaryDirectory(prefix="distillery-faults-") as folder,
        running_stack(Path(folder) / "home", kind, workers=workers) as stack,
    ):
        try:
            if case == _SOAK:
                memory = soak(stack, asked.soak_jobs, asked.soak)
                print(
                    f"    largest process: {memory.early:.0f} MiB, later {memory.late:.0f} MiB ({memory.growth:.2f}x)"
                )
            else:
                CASES[case](stack, asked.scale)
            stack.wait_ended()
        except AssertionError as error:
            failure = f"{case}: {error or _failed_line(error)}"
        verdict = judge(stack)
    return Row(case, kind, verdict, time.monotonic() - start, failure)


def _failed_line(error: AssertionError) -> str:
    return traceback.extract_tb(error.__traceback__)[-1].line or "an assertion"


def _table(rows: list[Row]) -> str:
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


def _write(table: str) -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table}\n\n{END}{after}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "cases", nargs="*", choices=[*CASES, _SOAK, []], metavar="CASE", help=", ".join([*CASES, _SOAK])
    )
    parser.add_argument("--database", choices=("sqlite", "postgresql"), help="both, if left out")
    parser.add_argument("--scale", type=int, default=5, help="how often each case injects its faults")
    parser.add_argument("--soak", type=float, default=15.0, metavar="MINUTES")
    parser.add_argument("--soak-jobs", type=int, default=200)
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    return parser


if __name__ == "__main__":
    sys.exit(main())
