"""What the engine has really given to the containers: limits, no rights, nothing writable, and no password to see."""

from __future__ import annotations

import json
from typing import Any

from tests.compose.engine import Failed, Stack, run

_NO_RIGHTS = "0000000000000000"


def confined(stack: Stack) -> str:
    """Looks at every container of the stack, and from inside at each that runs; raises Failed for the first fault."""
    names = stack.compose("ps", "--all", "--format", "{{.Name}}").split()
    for name in names:
        faults = _faults(stack, stack.inspect(name))
        if faults:
            raise Failed(f"{name}: {', '.join(faults)}")
    return f"{len(names)} containers: limits, no capabilities, nothing writable but volumes, no password to see"


def _faults(stack: Stack, container: dict[str, Any]) -> list[str]:
    given = container["HostConfig"]
    shown = json.dumps(container)
    faults = {
        "has no limit of memory": not given["Memory"] or given["MemorySwap"] != given["Memory"],
        "has no limit of processes": not given["PidsLimit"] or given["PidsLimit"] < 0,
        "can write to its root file system": not given["ReadonlyRootfs"],
        "has capabilities": given["CapDrop"] != ["ALL"] or bool(given["CapAdd"]) or given["Privileged"],
        "may gain privileges": "no-new-privileges:true" not in given["SecurityOpt"],
        "shows a password in docker inspect": any(password in shown for password in stack.passwords),
    }
    if container["State"]["Running"]:
        faults |= _faults_inside(stack, container["Id"])
    return [fault for fault, found in faults.items() if found]


def _faults_inside(stack: Stack, container: str) -> dict[str, bool]:
    look = "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs)' /proc/1/status; touch /written 2>&1; true"
    fields = dict(line.split(":", 1) for line in run("docker", "exec", container, "sh", "-c", look).splitlines())
    processes = run("docker", "top", container, "-eo", "pid,args")
    return {
        "is root inside": fields["Uid"].split()[0] == "0",
        "has capabilities inside": {fields["CapEff"].strip(), fields["CapBnd"].strip()} != {_NO_RIGHTS},
        "may gain privileges inside": fields["NoNewPrivs"].strip() != "1",
        "writes beside its volumes": "Read-only file system" not in fields.get("touch", ""),
        "shows a password to ps": any(password in processes for password in stack.passwords),
    }
