from __future__ import annotations

import socket
import sqlite3
from pathlib import Path

import pytest

from jobs.settings import Settings
from standalone.errors import CannotStart
from standalone.service import environment, free_port, migrate, worker_programs


def test_a_taken_port_is_named_with_the_variable_that_changes_it() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=rf"127\.0\.0\.1 port {port}.*KD_PORT"):
            free_port("127.0.0.1", port)


def test_an_address_of_another_machine_is_named_with_its_variable() -> None:
    with pytest.raises(CannotStart, match=r"192\.0\.2\.1 port 0.*KD_HOST"):
        free_port("192.0.2.1", 0)


def test_port_0_is_a_free_one() -> None:
    port = free_port("127.0.0.1", 0)
    with socket.socket() as server:
        server.bind(("127.0.0.1", port))
    assert free_port("127.0.0.1", port) == port


def test_children_are_told_where_everything_is(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, data_dir=tmp_path / "sets", workers=2)
    base = {
        "PATH": "/bin",
        "PYTHONPATH": "/elsewhere",
        "KD_DEVICE": "cpu",
        "KD_BROKER_URL_FILE": "/b",
        "KD_API_KEYS_FILE": "/k",
    }
    env = environment(base, settings, port=1234, broker_url="redis+socket:///r.sock")
    assert env["PATH"] == "/bin"
    assert env["KD_DEVICE"] == "cpu"
    assert env["KD_HOME"] == str(tmp_path)
    assert env["KD_DATA_DIR"] == str(tmp_path / "sets")
    assert env["KD_DATABASE_URL"] == f"sqlite:///{tmp_path}/distillery.db"
    assert env["KD_BROKER_URL"] == "redis+socket:///r.sock"
    assert "KD_BROKER_URL_FILE" not in env
    assert env["KD_API_KEYS_FILE"] == "/k"
    assert env["KD_PORT"] == "1234"
    assert env["KD_WORKERS"] == "2"
    assert env["PYTHONPATH"].endswith(":/elsewhere")


def test_as_many_workers_as_asked_for_each_with_time_for_its_checkpoint(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, workers=3, cancel_grace_seconds=7)
    programs = worker_programs({}, settings)
    assert [program.name for program in programs] == ["worker-1", "worker-2", "worker-3"]
    assert all(program.grace_seconds > 7 for program in programs)


def test_each_worker_serves_its_metrics_on_a_port_of_its_own(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, workers=2, metrics_port=9100)
    assert [program.env["KD_METRICS_PORT"] for program in worker_programs({}, settings)] == ["9101", "9102"]
    for port in (None, 0):
        settings = Settings(home=tmp_path, workers=2, metrics_port=port)
        assert all("KD_METRICS_PORT" not in program.env for program in worker_programs({}, settings))


def test_the_database_has_its_tables_after_migrate(tmp_path: Path) -> None:
    migrate(Settings(home=tmp_path))
    connection = sqlite3.connect(tmp_path / "distillery.db")
    try:
        assert connection.execute("SELECT count(*) FROM jobs").fetchone() == (0,)
    finally:
        connection.close()


def test_a_database_that_cannot_be_reached_is_named_with_its_variable(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url="postgresql://nobody:secret@127.0.0.1:1/nothing")
    with pytest.raises(CannotStart, match=r"cannot prepare the database.*KD_DATABASE_URL") as caught:
        migrate(settings)
    assert "secret" not in str(caught.value)
