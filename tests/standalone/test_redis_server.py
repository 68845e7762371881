from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from kombu.connection import Connection
from redis import Redis

from standalone.errors import CannotStart
from standalone.redis_server import RedisServer, find_executable
from standalone.supervisor import Supervisor
from tests.standalone.helpers import gone, until

Make = Callable[[], Supervisor]
pytestmark = pytest.mark.service


def start(supervisor: Supervisor, server: RedisServer) -> int:
    supervisor.start([server.program(dict(os.environ))])
    supervisor.wait_ready(30)
    return supervisor.pids["redis"]


def test_what_was_written_survives_a_restart_and_nothing_is_left_running(make_supervisor: Make, tmp_path: Path) -> None:
    pids = []
    for expected in (None, b"value"):
        supervisor = make_supervisor()
        with RedisServer(tmp_path / "redis") as server:
            pids.append(start(supervisor, server))
            with Redis(unix_socket_path=str(server.socket)) as client:
                assert client.get("key") == expected
                client.set("key", "value")
            supervisor.stop()
        assert not server.socket.exists()
    assert all(gone(pid) for pid in pids)


def test_kill_9_loses_nothing_and_it_comes_back_on_the_same_socket(make_supervisor: Make, tmp_path: Path) -> None:
    supervisor = make_supervisor()
    with RedisServer(tmp_path / "redis") as server:
        first = start(supervisor, server)
        with Redis(unix_socket_path=str(server.socket)) as client:
            client.set("key", "value")
            os.kill(first, signal.SIGKILL)

            def answers() -> bool:
                supervisor.tick()
                return supervisor.pids.get("redis") not in (None, first) and server.ping()

            until(answers, "Redis answers again")
            assert client.get("key") == b"value"
        supervisor.stop()


def test_kombu_takes_the_url_and_only_this_user_the_socket(make_supervisor: Make, tmp_path: Path) -> None:
    supervisor = make_supervisor()
    with RedisServer(tmp_path / "redis") as server:
        start(supervisor, server)
        with Connection(server.url) as connection:
            queue = connection.SimpleQueue("doorbell")
            queue.put({"job": "1"})
            assert queue.get(timeout=5).payload == {"job": "1"}
            queue.close()
        assert stat.S_IMODE(server.socket.stat().st_mode) == 0o700
        assert stat.S_IMODE(server.folder.stat().st_mode) == 0o700
        supervisor.stop()


@pytest.mark.parametrize("name", ["long" * 30, "a space", "50%", "what?#"])
def test_a_path_that_no_socket_or_url_can_have_is_avoided(make_supervisor: Make, tmp_path: Path, name: str) -> None:
    supervisor = make_supervisor()
    with RedisServer(tmp_path / name) as server:
        start(supervisor, server)
        with Connection(server.url) as connection:
            connection.ensure_connection(max_retries=1)
        run_folder = server.socket.parent
        assert run_folder != tmp_path / name
        supervisor.stop()
    assert not run_folder.exists()


def test_nobody_answers_before_the_start(tmp_path: Path) -> None:
    with RedisServer(tmp_path / "redis") as server:
        assert not server.ping()


def test_redis_from_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "redis-server"
    own.write_text("#!/bin/sh\n")
    own.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_executable() == own


def test_without_any_redis_the_message_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(CannotStart, match=r"no Redis was found.*KD_BROKER_URL"):
        find_executable()
