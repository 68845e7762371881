"""Each benchmark measures, on a tiny scale. What it measures is not looked at: a test machine's times say nothing."""

from __future__ import annotations

import math

import pytest

from benchmarks import api, download, start, strangers
from benchmarks.service import Service

pytestmark = pytest.mark.service


def test_the_requests_of_the_api(quiet: Service, capsys: pytest.CaptureFixture[str]) -> None:
    api.throughput(quiet, requests=20, rounds=1)

    shown = capsys.readouterr().out
    for name in ("empty", "empty, async", "GET /jobs/{id}", "GET, not modified", "POST /jobs"):
        assert f"\n  {name:<18} " in shown


def test_the_latencies_beside_strangers(quiet: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """Every honest request is answered, or it would fail."""
    strangers.latencies(quiet, requests=100, rounds=1, idle=50, hostile=20)

    assert capsys.readouterr().out.count("with them:") == 2


@pytest.mark.slow
def test_the_latencies_while_a_job_trains(working: Service, capsys: pytest.CaptureFixture[str]) -> None:
    job_id = api.latencies(working, requests=20, rounds=1)

    assert "p99" in capsys.readouterr().out
    assert working.client.jobs.get(job_id).info.state == "running"
    with working.database.write() as repository:
        repository.request_cancel(job_id)


def test_the_import_of_the_api(capsys: pytest.CaptureFixture[str]) -> None:
    api.import_cost(rounds=1)

    assert "torch not loaded" in capsys.readouterr().out


@pytest.mark.parametrize("nginx", ["as it is", "absent"])
def test_the_download(
    nginx: str, quiet: Service, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if nginx == "absent":
        monkeypatch.setattr("benchmarks.download.shutil.which", lambda name: None)
    download.rates(quiet, megabytes=1, rounds=1)

    shown = capsys.readouterr().out
    assert "\n  artifact " in shown
    assert "MB at most" in shown


@pytest.mark.slow
def test_the_account_of_a_start(working: Service) -> None:
    account = start.account(working)

    assert len(account) == len(start.STAGES)
    assert all(math.isfinite(moment) for moment in account)
    trainer = account[start.STAGES.index("trainer process started") :]
    assert trainer == sorted(trainer)
