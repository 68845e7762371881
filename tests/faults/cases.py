"""The cases of docs/reliability.md that need the whole service: each injects its faults and waits for their end.

A case takes a running stack and a scale (1 in `make promises`, more in `make chaos`), and asserts what is its own. What
must hold after every case is in verdict.py.
"""

from __future__ import annotations

from collections.abc import Callable

from tests.faults import outages, users, workers
from tests.faults.stack import Stack

Case = Callable[[Stack, int], None]
CASES: dict[str, Case] = {
    "kills": workers.kills,
    "frozen-worker": workers.frozen_worker,
    "broker": outages.broker,
    "database-restart": outages.database_restart,
    "api-kills": users.api_kills,
    "repeated-messages": outages.repeated_messages,
    "always-dies": workers.always_dies,
    "cancels": users.cancels,
    "pauses": users.pauses,
    "disk-full": workers.disk_full,
    "cuts": users.cuts,
}
WORKERS = {"frozen-worker": 2, "repeated-messages": 2}
POSTGRESQL_ONLY = {"database-restart"}
