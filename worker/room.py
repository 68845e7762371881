"""Whether the disks that a worker writes to have room for another job: one that starts without it fails for nothing."""

from __future__ import annotations

import logging
import shutil
import tempfile
from pathlib import Path

from jobs.settings import Settings
from kd_engine.platform.files import DISK_FULL

log = logging.getLogger(__name__)
_MOST_WANTED = 2**30
_SHARE_WANTED = 20  # of a disk that is small, a twentieth
_PROBE_BYTES = 2**20


class Room:
    """
    Attributes:
        lacks: what the last look found missing, in words; None when there was room.
    """

    def __init__(self, settings: Settings) -> None:
        self._least = settings.min_free_bytes
        self._folders = {"scratch folder": settings.runs_dir, "cache": settings.cache_dir}
        if settings.artifacts_url is None:
            self._folders["artifacts folder"] = settings.artifacts_dir
        self._met_full = False
        self.lacks: str | None = None

    def met_full(self) -> None:
        """A job found a disk full. What the system says of its room is not enough then (a quota, no more inodes): the
        next looks write something as well, until they can.
        """
        self._met_full = True

    def look(self) -> str | None:
        """What is missing now, in words; tells the log when that changes."""
        found = next((lack for name, folder in self._folders.items() if (lack := self._lack(name, folder))), None)
        if found is None:
            self._met_full = False
        if (found is None) != (self.lacks is None):
            log.warning("%s", f"no job is taken: {found}" if found else "there is room again: jobs are taken")
        self.lacks = found
        return found

    def _lack(self, name: str, folder: Path) -> str | None:
        there = next(path for path in (folder, *folder.parents) if path.is_dir())
        try:
            disk = shutil.disk_usage(there)
        except OSError:
            return None  # whatever that is, it is no lack of room
        least = self._least if self._least is not None else min(_MOST_WANTED, disk.total // _SHARE_WANTED)
        if disk.free < least:
            return f"{disk.free / 2**20:,.0f} MiB are free for its {name}, and it wants {least / 2**20:,.0f}"
        if self._met_full and not _takes_more(there):
            return f"nothing more can be written to its {name}"
        return None


def _takes_more(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(_PROBE_BYTES))
            file.flush()
    except OSError as error:
        return error.errno not in DISK_FULL
    return True
