"""Where settings come from: the variables `KD_*`, and files that they name.

A secret need not stand in the environment: `KD_DATABASE_URL_FILE` names a file with what `KD_DATABASE_URL` would hold,
as Docker and Kubernetes mount secrets, and so for every field that is not shown (`repr=False`).
"""

from __future__ import annotations

import difflib
import logging
import os
from pathlib import Path

from pydantic_settings import BaseSettings, EnvSettingsSource

log = logging.getLogger(__name__)
PREFIX = "KD_"
OUTDATED = {"KD_SWEEP_SECONDS": ("reap_seconds", "look_seconds")}
"""Variables of earlier versions, and the fields that each of them sets where their own are left out."""


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message names the variable."""


class Environment(EnvSettingsSource):
    """The variables, with what stands in the files that some of them name.

    Raises:
        SettingsError: a variable and its file are both given, or the file cannot be read or holds nothing.
    """

    def __init__(self, settings_cls: type[BaseSettings]) -> None:
        super().__init__(settings_cls)
        self.env_vars = dict(self.env_vars) | {
            variable(field).lower(): _content(field, path) for field, path in _files(settings_cls).items()
        }
        for name, fields in OUTDATED.items():
            for field in fields:
                if not self.env_vars.get(variable(field).lower()) and (value := self.env_vars.get(name.lower())):
                    self.env_vars = dict(self.env_vars) | {variable(field).lower(): value}


def variable(field: str) -> str:
    """The name of the environment variable of a field."""
    return f"{PREFIX}{field.upper()}"


def in_file(name: str) -> str:
    """The variable that names a file with what the variable `name` would hold."""
    return f"{name}_FILE"


def secrets(settings_cls: type[BaseSettings]) -> tuple[str, ...]:
    """The fields whose values are never shown, and which may stand in files."""
    return tuple(name for name, field in settings_cls.model_fields.items() if not field.repr)


def origin(field: str) -> str:
    """What to call a field's variable in a message: with the file, where the value stands in one; as it was set."""
    name = variable(field)
    if not _is_set(name):
        name = next((old for old, fields in OUTDATED.items() if field in fields and _is_set(old)), name)
    path = os.environ.get(in_file(name))
    return f"{in_file(name)} ({path})" if path else name


def _is_set(name: str) -> bool:
    return any(key.upper() == name and value for key, value in os.environ.items())


def warn_of_unknown(settings_cls: type[BaseSettings]) -> None:
    """Logs the variables that no setting has, with the nearest that there is: most are typing errors.

    One that had another name in an earlier version is logged with the names that it has now.
    """
    for name in filter(_is_set, OUTDATED):
        log.warning("%s is outdated: set %s", name, " and ".join(map(variable, OUTDATED[name])))
    known = {variable(field) for field in settings_cls.model_fields}
    known |= {in_file(variable(field)) for field in secrets(settings_cls)}
    ignored = [
        name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in {*known, *OUTDATED}
    ]
    for name in sorted(ignored):
        nearest = difflib.get_close_matches(name.upper(), known, n=1)
        log.warning("%s is no setting and was ignored%s", name, f"; did you mean {nearest[0]}?" if nearest else "")


def _files(settings_cls: type[BaseSettings]) -> dict[str, Path]:
    """The files that are named, by field; an empty variable counts as left out."""
    named = {field: os.environ.get(in_file(variable(field))) for field in secrets(settings_cls)}
    return {field: Path(path).expanduser() for field, path in named.items() if path}


def _content(field: str, path: Path) -> str:
    value, name = variable(field), in_file(variable(field))
    if os.environ.get(value):
        raise SettingsError(f"{value} and {name} are both set; keep one of them")
    try:
        content = path.read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise SettingsError(f"{name}: cannot read {path} ({error.strerror})") from None
    except UnicodeDecodeError:
        raise SettingsError(f"{name}: {path} is not text in UTF-8") from None
    if not content.strip():
        raise SettingsError(f"{name}: {path} is empty; expected what {value} would hold")
    return content
