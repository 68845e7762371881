"""What transactions tell, once they are committed, and the port on which it is told on."""

from __future__ import annotations

import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from distillery.states import EndReason
from jobs.artifacts import ArtifactInfo
from jobs.database import Database
from jobs.errors import LeaseLost
from jobs.settings import Settings, SettingsError
from jobs.telemetry.metrics import JobMetrics, Listener, new_registry
from tests.jobs.samples import LAPSED, claim, create, running


@pytest.fixture
def registry(database: Database) -> CollectorRegistry:
    registry = CollectorRegistry()
    database.heard = JobMetrics(registry).heard
    return registry


def ended(registry: CollectorRegistry) -> dict[str, float]:
    """How many jobs have ended for each reason that occurred."""
    counts = {
        reason: registry.get_sample_value("distillery_jobs_ended_total", {"reason": reason}) for reason in EndReason
    }
    return {reason.value: count for reason, count in counts.items() if count}


def value(registry: CollectorRegistry, name: str, **labels: str) -> float | None:
    return registry.get_sample_value(name, labels)


def test_every_end_is_counted_whoever_brings_it_about(database: Database, registry: CollectorRegistry) -> None:
    waiting = create(database)
    finished, token = running(database)
    lost = create(database)
    claim(database, lost, lease=LAPSED)
    with database.write() as repository:
        repository.request_cancel(waiting)
        repository.finish(finished, token, EndReason.COMPLETED)
        repository.expire_leases(max_lost=1)
    assert ended(registry) == {"cancelled": 1, "completed": 1, "worker_lost": 1}
    assert value(registry, "distillery_job_run_seconds_count") == 3
    assert value(registry, "distillery_job_start_wait_seconds_count") == 2
    assert value(registry, "distillery_attempts_lost_total") == 1


def test_an_attempt_that_is_lost_is_no_end(database: Database, registry: CollectorRegistry) -> None:
    job_id, token = running(database)
    with database.write() as repository:
        repository.lose(job_id, token, 3, "its trainer died")
    assert value(registry, "distillery_attempts_lost_total") == 1
    assert ended(registry) == {}


def test_what_was_taken_back_does_not_count(database: Database, registry: CollectorRegistry) -> None:
    waiting, (finished, token) = create(database), running(database)

    def cancel_one_and_finish_another_too_late() -> None:
        with database.write() as repository:
            repository.request_cancel(waiting)
            repository.finish(finished, token + 1, EndReason.COMPLETED)

    with pytest.raises(LeaseLost):
        cancel_one_and_finish_another_too_late()
    assert ended(registry) == {}


def test_bytes_of_listed_files(database: Database, registry: CollectorRegistry) -> None:
    job_id, token = running(database)
    for name, kind, size in (("a", "result", 10), ("b", "result", 5), ("c", "checkpoint", 7)):
        with database.write() as repository:
            repository.list_artifact(job_id, token, ArtifactInfo(name, kind, "text/plain", size, "0" * 64, name))
    assert value(registry, "distillery_artifact_stored_bytes_total", kind="result") == 15
    assert value(registry, "distillery_artifact_stored_bytes_total", kind="checkpoint") == 7


def test_they_are_served_on_a_port_that_is_free_again_afterwards(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, metrics_port=0)
    listener = Listener(new_registry(settings), settings)
    with urllib.request.urlopen(f"http://127.0.0.1:{listener.port}/metrics") as answer:
        text = answer.read().decode()
    assert "\nprocess_resident_memory_bytes " in text
    assert 'distillery_disk_free_bytes{folder="home"}' in text
    assert 'folder="artifacts"' not in text  # there is none yet
    listener.close()
    with socket.create_server(("127.0.0.1", listener.port)):
        pass


def test_they_stay_on_this_machine_unless_told(tmp_path: Path) -> None:
    """Whatever the API listens on."""
    for told, others in (({}, False), ({"metrics_host": "0.0.0.0"}, True)):
        settings = Settings(home=tmp_path, host="0.0.0.0", metrics_port=0, **told)
        listener = Listener(new_registry(settings), settings)
        with socket.socket() as another_address:
            assert (another_address.connect_ex(("127.0.0.2", listener.port)) == 0) is others
        listener.close()


def test_a_taken_port_is_named_with_its_variable(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        settings = Settings(home=tmp_path, metrics_port=other.getsockname()[1])
        with pytest.raises(SettingsError, match=r"KD_METRICS_PORT.*127\.0\.0\.1 port \d+"):
            Listener(new_registry(settings), settings)
