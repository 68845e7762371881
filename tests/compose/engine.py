"""A stack of this campaign's own on a real Docker engine: its project, images, volumes and network have one name.

What is made here is removed at the end, and nothing else is touched.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from standalone.service import free_port

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("api", "worker")
# The service's own defaults shortened, in the same proportions, so that a fault is over in seconds.
TIMES = {
    "KD_LEASE_SECONDS": 12,
    "KD_STOP_AFTER_SECONDS": 8,
    "KD_HEARTBEAT_SECONDS": 2,
    "KD_REAP_SECONDS": 1,
    "KD_LOOK_SECONDS": 1,
    "KD_CHECKPOINT_SECONDS": 0.5,
}


class Failed(Exception):
    """A command of Docker's did not do what it should; the text is what it said."""


@dataclass
class Stack:
    """The stack under its own project name.

    Attributes:
        folder: a copy of what the images are made of, with its own `.env`.
    """

    folder: Path
    project: str
    port: int
    key: str = ""
    accepted: list[str] = field(default_factory=list)
    passwords: tuple[str, ...] = ()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def compose(self, *arguments: str, seconds: float = 600, env: dict[str, str] | None = None) -> str:
        """`docker compose ARGUMENTS`, in this stack's folder; raises Failed."""
        return run("docker", "compose", "--project-name", self.project, *arguments,
                   cwd=self.folder, seconds=seconds, env=env)  # fmt: skip

    def set(self, **variables: object) -> None:
        """Writes variables into the `.env` of the stack."""
        with (self.folder / ".env").open("a") as file:
            file.writelines(f"{name}='{value}'\n" for name, value in variables.items())

    def make_secrets(self) -> None:
        """The files of passwords, as docs/deploy.md makes them."""
        folder, postgres, redis = self.folder / "secrets", secrets.token_hex(24), secrets.token_hex(24)
        folder.mkdir(mode=0o700)
        for name, text in (
            ("postgres_password", postgres),
            ("database_url", f"postgresql://distillery:{postgres}@postgres/distillery"),
            ("redis_config", f"requirepass {redis}"),
            ("broker_url", f"redis://:{redis}@redis:6379/0"),
        ):
            (folder / name).write_text(f"{text}\n")
            (folder / name).chmod(0o644)
        self.passwords = (postgres, redis)

    def image(self, service: str) -> str:
        return f"distillery-{service}:{self.project}"

    def containers(self, service: str) -> list[str]:
        """The names of the service's containers that run, by number."""
        rows = self.compose("ps", "--format", "{{.Name}}", service).split()
        return sorted(rows)

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(run("docker", "inspect", container))[0]
        return found

    def kill_from_host(self, container: str) -> None:
        """SIGKILL to the container's first process, as the kernel would: not a stop that Docker was asked for."""
        os.kill(self.inspect(container)["State"]["Pid"], signal.SIGKILL)

    def wait_healthy(self, *services: str, seconds: float = 120) -> None:
        """Until every container of these services says that it is healthy."""

        def healthy() -> bool:
            states = [self.inspect(name)["State"] for service in services for name in self.containers(service)]
            return bool(states) and all(state.get("Health", {}).get("Status") == "healthy" for state in states)

        until(healthy, seconds, f"{', '.join(services)} to be healthy")


def run(*command: str, cwd: Path = ROOT, seconds: float = 600, env: dict[str, str] | None = None) -> str:
    """What the command prints; raises Failed with its last lines."""
    # What the caller has set for a stack of its own is not for this one.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("KD_", "COMPOSE_"))}
    done = subprocess.run(
        command, cwd=cwd, env=clean | (env or {}), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=seconds, errors="replace",
    )  # fmt: skip
    if done.returncode != 0:
        said = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise Failed(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
    return done.stdout


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Waits for it; what raises meanwhile counts as no."""
    deadline, last = time.monotonic() + seconds, ""
    while True:
        try:
            if condition():
                return
        except (Failed, OSError, KeyError, ValueError) as error:
            last = f" ({error})"
        if time.monotonic() > deadline:
            raise Failed(f"waited {seconds:g} s for {what}{last}")
        time.sleep(0.3)


@contextmanager
def stack(folder: Path, keep: bool = False) -> Iterator[Stack]:
    """A stack that is not built and not up yet; taken away with its volumes and images at the end."""
    name = f"kdtest{secrets.token_hex(4)}"
    _copy_context(folder)
    made = Stack(folder, name, free_port("127.0.0.1", 0))
    made.set(KD_VERSION=name, KD_PUBLISH=f"127.0.0.1:{made.port}", KD_WHEELS=wheels() or folder / "wheels")
    (folder / "settings.env").write_text("".join(f"{name}={value}\n" for name, value in TIMES.items()))
    try:
        yield made
    finally:
        if keep:
            print(f"kept: cd {folder} && docker compose --project-name {name} ...", flush=True)
        else:
            take_away(folder, name)


def _copy_context(folder: Path) -> None:
    """What `git` knows of and the images are made of; a build then finds what a fresh clone has."""
    listed = run("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").split("\0")
    for name in filter(None, listed):
        if name.startswith(("tests/", "docs/", "examples/")) or not (ROOT / name).is_file():
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())


def wheels() -> str | None:
    """A folder of wheels with a torch: KD_WHEELS, or where pip on this machine is told to look."""
    named = [os.environ.get("KD_WHEELS", ""), *os.environ.get("PIP_FIND_LINKS", "").split()]
    return next((name for name in named if name and any(Path(name).glob("torch-*.whl"))), None)


def take_away(folder: Path, project: str) -> None:
    """Removes the containers, volumes, networks and images of a project of this campaign's."""
    run(
        "docker",
        "compose",
        "--project-name",
        project,
        "down",
        "--volumes",
        "--remove-orphans",
        "--timeout",
        "5",
        cwd=folder,
    )
    # compose writes its project's name on what it builds, also on what a later build took the tag from
    label = f"label=com.docker.compose.project={project}"
    built = run("docker", "image", "ls", "--all", "--quiet", "--filter", label).split()
    if built:
        run("docker", "image", "rm", "--force", *dict.fromkeys(built))
