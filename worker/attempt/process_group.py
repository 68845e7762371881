"""What all processes of a group hold together, as Linux tells it in /proc; nothing where there is none."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
# Resident or swapped, and not a file's: what nobody can take back without ending the process. Pages of mapped files are
# left out, however many there are: the kernel drops them when it needs the memory.
_HELD = ("RssAnon", "RssShmem", "VmSwap")
_SHARE = ("Pss_Anon", "Pss_Shmem", "SwapPss")


@dataclass(frozen=True)
class Use:
    """What a process group uses.

    Attributes:
        memory: bytes of anonymous and of shared memory; what several processes share is counted in each of them.
        tasks: its threads, those of all its processes.
        processes: their ids.
    """

    memory: int
    tasks: int
    processes: tuple[int, ...]


def use_of(group: int) -> Use:
    """What the process group uses now. Cheap: it may be asked for often."""
    processes = members(group)
    found = [_numbers(_PROC / str(process) / "status") for process in processes]
    return Use(
        sum(fields.get(name, 0) for fields in found for name in _HELD) * 1024,
        sum(fields.get("Threads", 0) for fields in found),
        tuple(processes),
    )


def memory_of(use: Use) -> int:
    """Its memory with what processes share counted once. Takes the kernel a while for each gigabyte."""
    if len(use.processes) == 1:
        return use.memory
    found = [_numbers(_PROC / str(process) / "smaps_rollup") for process in use.processes]
    exact = sum(fields.get(name, 0) for fields in found for name in _SHARE) * 1024
    return exact if all(_SHARE[0] in fields for fields in found if fields) and any(found) else use.memory


def members(group: int) -> list[int]:
    """The ids of the group's processes, and of those that left it and stayed in its session."""
    found = []
    with suppress(OSError):
        for name in os.listdir(_PROC):
            if name.isdecimal():
                with suppress(OSError):  # it has ended meanwhile
                    if group in (os.getpgid(int(name)), os.getsid(int(name))):
                        found.append(int(name))
    return found


def _numbers(file: Path) -> dict[str, int]:
    """The numeric fields of a file of `Name:  number kB` lines."""
    numbers: dict[str, int] = {}
    with suppress(OSError):
        for line in file.read_text(errors="replace").splitlines():
            name, _, value = line.partition(":")
            first = value.split(maxsplit=1)[:1]
            if first and first[0].isdecimal():
                numbers[name] = int(first[0])
    return numbers
