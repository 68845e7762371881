"""The hostile soak, shortened: some seconds, a lie of each kind of refusal. `make chaos` runs it in full."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.hostile import SETTINGS, hostile
from tests.faults.lies import LIES
from tests.faults.stack import running_stack

pytestmark = [pytest.mark.service, pytest.mark.slow]
_SOME = {"a shape that is not there", "a header of exabytes"}


@pytest.mark.timeout(600)
def test_honest_users_beside_strangers(tmp_path: Path) -> None:
    lies = [lie for lie in LIES if lie.name in _SOME]
    impatient = SETTINGS | {"stall_seconds": 5, "max_lost_attempts": 10}
    with running_stack(tmp_path / "home", workers=2, **impatient) as stack:
        outcome = hostile(stack, 5, lies=lies, idle=20, crowd=10, kills=(2, 4))
    assert not outcome.wrong
    assert outcome.verdict.clean
    assert outcome.succeeded == outcome.honest_jobs > 0
    assert outcome.health
    for what in (
        "lying file, refused", "greedy check, ended", "file begun and left", "request of a page elsewhere, refused",
        "webhook to a dead address", "SIGSTOP of a trainer",
    ):  # fmt: skip
        assert outcome.tally.counts[what] > 0, what
