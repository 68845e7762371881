from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from jobs.ids import is_job_id, new_job_id


def test_ids_are_distinct_and_in_order_also_within_a_millisecond() -> None:
    ids = [new_job_id() for _ in range(5000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 5000
    assert all(re.fullmatch("job_[0-9A-HJKMNP-TV-Z]{26}", one) and is_job_id(one) for one in ids)


def test_threads_get_distinct_ids() -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _: new_job_id(), range(4000)))
    assert len(set(ids)) == 4000


def test_a_clock_that_goes_back_does_not_bring_ids_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = new_job_id()
    monkeypatch.setattr(time, "time_ns", lambda: 10**18)
    assert new_job_id() > before


@pytest.mark.parametrize(
    "text", ["", "job", "job_", "job-1", "job_1/2", "job_..", "job_\N{ARABIC-INDIC DIGIT ONE}", "job_1\n", "JOB_1"]
)
def test_what_cannot_be_an_id(text: str) -> None:
    assert not is_job_id(text)
