"""The first start, and the stack at rest."""

from __future__ import annotations

import time
from collections.abc import Iterator

from tests.compose.confined import confined
from tests.compose.engine import Failed, Stack, run

_SETTLE_SECONDS = 10


def start(stack: Stack) -> Iterator[str]:
    """Brings the stack up for the first time, with a key of its own.

    Raises:
        Failed: more than the API listens, or a container may do more than its work takes.
    """
    made = stack.compose("run", "--rm", "--no-deps", "api", "api", "new-key", "--owner", "tester").splitlines()
    stack.key = made[-3].strip()
    stack.set(KD_API_KEYS=f"[{made[-1].strip()}]")
    began = time.monotonic()
    stack.compose("up", "--detach", "--wait", "--no-build")
    yield f"first start, until all are healthy: {time.monotonic() - began:.0f} s"
    _only_the_api_listens(stack)
    yield confined(stack)
    time.sleep(_SETTLE_SECONDS)
    names = stack.compose("ps", "--format", "{{.Name}}").split()
    used = run("docker", "stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *names).splitlines()
    yield "memory at rest: " + ", ".join(_memory(stack, line) for line in sorted(used))


def _memory(stack: Stack, line: str) -> str:
    name, used, *_ = line.split()
    return f"{name.removeprefix(stack.project + '-')} {used}"


def _only_the_api_listens(stack: Stack) -> None:
    for name in stack.compose("ps", "--format", "{{.Name}}").split():
        ports = stack.inspect(name)["HostConfig"]["PortBindings"] or {}
        if ports and "-api-" not in name:
            raise Failed(f"{name} publishes {', '.join(ports)}")
