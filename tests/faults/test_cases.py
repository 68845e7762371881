"""Each case of docs/reliability.md once, shortened; `make chaos` runs them in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.cases import CASES, POSTGRESQL_ONLY, WORKERS
from tests.faults.stack import DatabaseKind, running_stack
from tests.faults.verdict import judge

pytestmark = [pytest.mark.service, pytest.mark.slow]
# Each case once, on one database or the other; `make chaos` has them all on both.
_RUNS: list[tuple[str, DatabaseKind]] = [
    (case, "postgresql" if case in POSTGRESQL_ONLY or position % 2 else "sqlite") for position, case in enumerate(CASES)
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(("case", "kind"), _RUNS)
def test_case(case: str, kind: DatabaseKind, tmp_path: Path) -> None:
    with running_stack(tmp_path / "home", kind, workers=WORKERS.get(case, 1)) as stack:
        CASES[case](stack, 1)
        stack.wait_ended()
        verdict = judge(stack)
    assert verdict.clean, verdict
    assert verdict.faults > 0
    assert verdict.accepted == verdict.finished
