"""KD_HOME is its owner's alone: it holds everybody's jobs, data and keys."""

from __future__ import annotations

import errno
import logging
import os
import pwd
import stat
from contextlib import suppress
from pathlib import Path

from jobs.environment import SettingsError

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


def prepare(home: Path, *, needed: bool) -> None:
    """Makes the folder private, and sees that it can be written.

    Args:
        needed: something is kept in it, so that nothing goes without it.

    Raises:
        SettingsError: it is needed, and cannot be made or written; the message says what to try.
    """
    try:
        make_private(home)
        if not os.access(home, os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        if needed:
            raise SettingsError(
                f"KD_HOME is {home}, where nothing can be written ({error.strerror or error}); point it at a folder of "
                f"yours, as in KD_HOME=$HOME/distillery, or let {_user()} write there."
            ) from None


def _user() -> str:
    """Who this program runs as."""
    try:
        return f"user '{pwd.getpwuid(os.geteuid()).pw_name}'"
    except KeyError:  # in a container
        return f"user {os.geteuid()}"


def _is_ours(name: str) -> bool:
    return name in CONTENTS or name.startswith((_DATABASE, "."))
