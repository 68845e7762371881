"""KD_HOME is its owner's alone: it holds everybody's jobs, data and keys."""

from __future__ import annotations

import logging
import os
import stat
from contextlib import suppress
from pathlib import Path

log = logging.getLogger(__name__)

CONTENTS = frozenset({"data", "artifacts", "cache", "runs", "redis", "logs", "supervisor.lock", "processes.lock"})
_DATABASE = "distillery.db"
_OTHERS = stat.S_IRWXG | stat.S_IRWXO


def make_private(home: Path) -> None:
    """Makes the folder with mode 0700, or gives it that mode where it is ours and was made by an earlier version.

    A folder that holds other things than the service's is left as it is, with a warning: it may be somebody's /srv.

    Raises:
        OSError: it is missing and cannot be made.
    """
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = home.stat()
    if not state.st_mode & _OTHERS or state.st_uid != os.geteuid():
        return
    if state.st_mode & stat.S_ISVTX or not all(map(_is_ours, os.listdir(home))):
        log.warning("KD_HOME (%s) holds other things too and is left open to others; chmod 700 closes it", home)
        return
    with suppress(OSError):  # in a container, where it is read-only and nobody else is there
        home.chmod(0o700)


def _is_ours(name: str) -> bool:
    return name in CONTENTS or name.startswith((_DATABASE, "."))
