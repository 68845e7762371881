"""The service's own programs: Redis, the api and the workers, and what they are told of each other."""

from __future__ import annotations

import json
import os
import socket
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http import HTTPStatus
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from distillery.cli.console import Console
from jobs.database import Database
from jobs.environment import in_file
from jobs.errors import JobError
from jobs.reach import check_reach
from jobs.settings import Settings
from standalone.child import Program
from standalone.errors import CannotStart
from standalone.guard import Guard
from standalone.lock import HomeLock
from standalone.redis_server import RedisServer
from standalone.signals import StopSignals
from standalone.supervisor import Supervisor

_ROOT = Path(__file__).resolve().parent.parent
_READY_SECONDS = 90.0  # a cold disk reads torch for a while
_PROBE_SECONDS = 5.0
_API_GRACE_SECONDS = 15.0  # the api gives open downloads ten
_WORKER_GRACE_SECONDS = 20.0  # beyond what a trainer gets to write its checkpoint


@contextmanager
def running_service(settings: Settings, console: Console, signals: StopSignals) -> Iterator[tuple[Supervisor, str]]:
    """The service, ready to take jobs, and its URL; stopped on the way out.

    Raises:
        SettingsError: others could reach it without a key, or nothing can be written into the folder.
        CannotStart: the folder or the port is taken, or a program does not start.
        Stopped: a signal came while it started.
    """
    check_reach(settings)
    with ExitStack() as stack:
        lock = stack.enter_context(HomeLock(settings.home, say=console.line))
        port = free_port(settings.host, settings.port)
        redis = None
        if "broker_url" not in settings.model_fields_set:
            redis = stack.enter_context(RedisServer(settings.home / "redis"))
        guard = Guard(keep_open=(lock.fd,))
        supervisor = Supervisor(settings.home / "logs", console, guard, hurry=signals.asked_twice)
        stack.enter_context(supervisor)
        env = environment(os.environ, settings, port=port, broker_url=redis.url if redis else settings.broker_url)
        if redis is not None:
            supervisor.start([redis.program(env)])
        migrate(settings)
        url = f"http://{_reachable(settings.host)}:{port}"
        supervisor.start([api_program(env, url), *worker_programs(env, settings)])
        supervisor.wait_ready(_READY_SECONDS, stop_asked=signals.asked)
        signals.check()
        _, idle = readiness(url)
        if idle is not None:
            console.line(f"no job is taken yet: {idle}")
        yield supervisor, url


def migrate(settings: Settings) -> None:
    """Brings the database's tables up to date, once, before anyone uses them.

    Raises:
        CannotStart: the database cannot be reached, or belongs to a newer version of this program.
    """
    database = Database(settings.database_url)
    try:
        database.migrate()
    except (SQLAlchemyError, JobError) as error:
        first_line = str(error).partition("\n")[0]
        raise CannotStart(f"cannot prepare the database: {first_line}. See KD_DATABASE_URL.") from error
    finally:
        database.dispose()


def environment(base: Mapping[str, str], settings: Settings, *, port: int, broker_url: str) -> dict[str, str]:
    """What each child is told: `base`, with the settings that are decided here."""
    path = os.pathsep.join(filter(None, (str(_ROOT), base.get("PYTHONPATH"))))
    decided = {
        "KD_HOME": str(settings.home),
        "KD_DATA_DIR": str(settings.data_dir),
        "KD_DATABASE_URL": settings.database_url,
        "KD_BROKER_URL": broker_url,
        "KD_HOST": settings.host,
        "KD_PORT": str(port),
        "KD_WORKERS": str(settings.workers),
    }
    files = {in_file(name) for name in decided}  # a value and a file with it would be one too many
    kept = {name: value for name, value in base.items() if name not in files}
    return kept | decided | {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}


def api_program(env: dict[str, str], url: str) -> Program:
    return Program("api", (sys.executable, "-m", "api"), env, lambda: readiness(url)[0], _API_GRACE_SECONDS)


def worker_programs(env: dict[str, str], settings: Settings) -> list[Program]:
    command = (sys.executable, "-m", "worker")
    grace = settings.cancel_grace_seconds + _WORKER_GRACE_SECONDS
    return [
        Program(f"worker-{number}", command, env | _metrics_port(settings, number), grace_seconds=grace)
        for number in range(1, settings.workers + 1)
    ]


def _metrics_port(settings: Settings, number: int) -> dict[str, str]:
    """Of one worker: the api has the port itself, the workers those that follow."""
    if not settings.metrics_port:  # none, or any that is free
        return {}
    return {"KD_METRICS_PORT": str(settings.metrics_port + number)}


def free_port(host: str, port: int) -> int:
    """`port` if it can be listened on, or a free one where it is 0.

    Raises:
        CannotStart: somebody else listens there, or the address is not this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)
            taken: int = probe.getsockname()[1]
            return taken
    except OSError as error:
        raise CannotStart(
            f"cannot listen on {host} port {port}: {error.strerror or error}. "
            "Choose another port with KD_PORT (0 takes a free one), or another address with KD_HOST."
        ) from None


def _reachable(host: str) -> str:
    """The address that a client on this machine uses for a server that listens on `host`."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"[{host}]" if ":" in host else host


def readiness(url: str) -> tuple[bool, str | None]:
    """Whether the service has all of its parts; and if it has, but no worker takes a job, why.

    That one waits for something outside, as room on its disk, and goes on by itself: the service is up.
    """
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{url}/readyz", timeout=_PROBE_SECONDS):
            return True, None
    except urllib.error.HTTPError as error:
        with error:
            said = json.load(error) if error.code == HTTPStatus.SERVICE_UNAVAILABLE else {}
    except (OSError, ValueError):
        return False, None
    parts = said.get("parts", {})
    missing = [name for name, part in parts.items() if not part["ok"]]
    heard = missing == ["workers"] and parts["workers"]["detail"].startswith(tuple("123456789"))
    return heard, parts["workers"]["detail"] if heard else None
