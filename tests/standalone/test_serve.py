"""The whole service as its user starts it: `distillery serve`."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from distillery import Distillery
from jobs.home import CONTENTS
from standalone.service import readiness
from tests.standalone.helpers import PATIENCE, ROOT, gone, until

pytestmark = pytest.mark.service


class Served:
    """A running `serve`, its standard output in a file."""

    def __init__(self, home: Path, **variables: str) -> None:
        self.home = home
        self.output = home.parent / f"{home.name}.out"
        env = {name: value for name, value in os.environ.items() if not name.startswith("KD_")}
        env |= {"KD_HOME": str(home), "KD_PORT": "0", "KD_DEVICE": "cpu", "KD_THREADS": "1"} | variables
        with self.output.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "distillery", "serve"], cwd=ROOT, env=env, stdout=file, stderr=subprocess.STDOUT
            )

    @property
    def text(self) -> str:
        return self.output.read_text()

    def wait_ready(self) -> str:
        """The URL, once the service is ready."""
        until(lambda: "ready at http" in self.text or self.process.poll() is not None, f"ready: {self.text}")
        assert self.process.poll() is None, self.text
        return self.text.partition("ready at ")[2].split()[0]

    def descendants(self) -> list[int]:
        """The process ids of everything that it has started."""
        return _descendants(self.process.pid)


def _descendants(pid: int) -> list[int]:
    children = [int(child) for task in Path(f"/proc/{pid}/task").glob("*") for child in _children(task)]
    return [found for child in children for found in (child, *_descendants(child))]


def _children(task: Path) -> list[str]:
    return (task / "children").read_text().split()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """Starts services, which are killed after the test if it did not stop them; their guards do the rest."""
    started: list[Served] = []

    def serve(home: str = "home", **variables: str) -> Served:
        started.append(Served(tmp_path / home, **variables))
        return started[-1]

    yield serve
    for one in started:
        one.process.kill()
        one.process.wait()


needs_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks into /proc for processes")


@needs_proc
@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_every_process(served: Any, number: signal.Signals) -> None:
    service = served(KD_WORKERS="2")
    url = service.wait_ready()
    with urllib.request.urlopen(f"{url}/healthz") as answer:
        assert answer.status == 200
    # guard, Redis, api, two workers; a library that one of them loads may ask `uname` something for a moment
    until(lambda: len(service.descendants()) == 5, "its five processes alone")
    pids = service.descendants()

    service.process.send_signal(number)

    assert service.process.wait(60) == 0, service.text
    assert all(gone(pid) for pid in pids)
    assert service.text.endswith("stopped\n")
    # everything is its owner's alone, and of the names that a home may have
    assert not [path for path in (service.home, *service.home.rglob("*")) if path.stat().st_mode & 0o077]
    assert {path.name for path in service.home.iterdir()} <= CONTENTS | {"distillery.db"}
    assert {path.name for path in (service.home / "logs").iterdir()} == {
        "api.log",
        "redis.log",
        "worker-1.log",
        "worker-2.log",
    }


@needs_proc
def test_kill_9_leaves_nothing_and_the_next_start_works(served: Any) -> None:
    service = served()
    service.wait_ready()
    pids = service.descendants()
    service.process.kill()
    again = served()
    until(lambda: all(gone(pid) for pid in pids), "all processes gone")
    again.wait_ready()


@pytest.mark.slow
def test_a_job_that_runs_when_the_service_stops_goes_on_at_the_next_start(served: Any) -> None:
    spec = json.loads((ROOT / "examples" / "digits-linear.json").read_text()) | {"baseline": False, "export": []}
    spec["teacher"]["training"]["epochs"] = spec["training"]["epochs"] = 20
    first = served()
    with Distillery(first.wait_ready()) as client:
        job = client.jobs.run(spec)
        until(lambda: "epoch_end" in [event.type for event in job.history()], "a first epoch")
    first.process.terminate()
    assert first.process.wait(60) == 0, first.text

    with Distillery(served().wait_ready()) as client:
        events = list(client.jobs.get(job.id).wait(PATIENCE).events())
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert [event.type for event in events].count("claimed") == 2
    epochs = [(event.data["phase"], event.data["epoch"]) for event in events if event.type == "epoch_end"]
    assert epochs == [(phase, epoch) for phase in ("teacher", "student") for epoch in range(1, 21)]


def test_a_second_service_in_the_same_folder_is_refused(served: Any) -> None:
    first = served()
    first.wait_ready()
    second = served()
    assert second.process.wait(30) == 1
    assert f"(process {first.process.pid}) already keeps its jobs in {first.home}" in second.text


def test_an_open_host_without_keys_is_refused_once_and_before_anything_starts(served: Any) -> None:
    service = served(KD_HOST="0.0.0.0")
    assert service.process.wait(30) == 1
    assert service.text.count("KD_HOST is '0.0.0.0', which other machines may reach") == 1
    assert not service.home.exists()


def test_a_home_where_nothing_can_be_written_is_told_in_words(served: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    service = served(KD_HOME=str(tmp_path / "file" / "home"))
    assert service.process.wait(30) == 1
    assert f"KD_HOME is {tmp_path / 'file' / 'home'}, where nothing can be written" in service.text
    assert "Traceback" not in service.text


@pytest.mark.slow
def test_workers_without_room_keep_no_service_from_starting_and_its_lines_are_few(served: Any) -> None:
    service = served(KD_MIN_FREE_BYTES=str(2**60), KD_HEARTBEAT_SECONDS="1")
    url = service.wait_ready()
    until(lambda: "WARNING worker.room: no job is taken: " in service.text, "its worker says why")
    until(lambda: readiness(url)[1] is not None, "the api has heard of it")
    up, why = readiness(url)
    assert up
    assert "takes no job" in str(why)
    assert len(service.text.splitlines()) <= 6, service.text
    assert "Redis" in (service.home / "logs" / "redis.log").read_text()


def test_a_taken_port_is_refused_before_anything_starts(served: Any) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        service = served(KD_PORT=port)
        assert service.process.wait(30) == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in service.text
    assert "KD_PORT" in service.text
    assert "Traceback" not in service.text


def test_a_wrong_setting_is_named(served: Any) -> None:
    service = served(KD_WORKERS="none")
    assert service.process.wait(30) == 1
    assert "KD_WORKERS" in service.text
    assert "Traceback" not in service.text
