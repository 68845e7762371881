"""Who may do what: API keys, their owners and scopes. The key itself is known to its holder alone; here is its hash."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from distillery.quota import NO_QUOTA, Quota
from jobs.ids import LOCAL

_KEY_BYTES = 32


class Scope(StrEnum):
    """What a key allows. `admin` allows everything, and shows the jobs of all owners."""

    READ = "read"
    SUBMIT = "submit"
    ADMIN = "admin"


class ApiKey(BaseModel):
    """One key, as the settings hold it."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    owner: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z][0-9A-Za-z._-]{0,99}$")]
    scopes: frozenset[Scope] = Field(min_length=1)
    # random keys of 256 bits cannot be guessed, so a fast hash is enough
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    quota: Quota = NO_QUOTA


@dataclass(frozen=True)
class Caller:
    """Who asks.

    Attributes:
        owner: of the jobs that are made now.
        owner_filter: the owner whose jobs are shown; None: all.
    """

    owner: str
    scopes: frozenset[Scope]

    @property
    def owner_filter(self) -> str | None:
        return None if Scope.ADMIN in self.scopes else self.owner

    def may(self, scope: Scope) -> bool:
        return scope in self.scopes or Scope.ADMIN in self.scopes


ANYBODY = Caller(LOCAL, frozenset({Scope.ADMIN}))
"""Everyone, where there are no keys."""


class Keyring:
    """All keys of a service."""

    def __init__(self, keys: Collection[ApiKey]) -> None:
        self._keys = [(bytes.fromhex(key.sha256), Caller(key.owner, key.scopes)) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._keys)

    def find(self, key: str) -> Caller | None:
        """Whose key this is. Takes as long for a wrong key as for a right one."""
        digest = _digest(key)
        found = None
        for stored, caller in self._keys:
            if hmac.compare_digest(stored, digest):
                found = caller
        return found


def new_key(owner: str, scopes: Collection[Scope]) -> tuple[str, ApiKey]:
    """A new random key, and the entry that lets it in.

    Raises:
        pydantic.ValidationError: the owner's name cannot be used, or there is no scope.
    """
    key = f"kd_{secrets.token_urlsafe(_KEY_BYTES)}"
    return key, ApiKey(owner=owner, scopes=frozenset(scopes), sha256=_digest(key).hex())


def check_keys(keys: Sequence[ApiKey]) -> None:
    """Raises ValueError when two entries contradict each other."""
    twice = [sha256 for sha256, count in Counter(key.sha256 for key in keys).items() if count > 1]
    if twice:
        raise ValueError(f"the same key stands twice among the API keys (sha256 {twice[0][:8]}...); remove one entry")
    for owner in {key.owner for key in keys}:
        quotas = {key.quota for key in keys if key.owner == owner and key.quota != NO_QUOTA}
        if len(quotas) > 1:
            raise ValueError(f"the API keys of '{owner}' have different quotas; a quota is an owner's: give it once")


def quota_of(keys: Sequence[ApiKey], owner: str, default: Quota) -> Quota:
    """What an owner may have: what one of its keys says, and the default for the rest."""
    for key in keys:
        if key.owner == owner and key.quota != NO_QUOTA:
            return key.quota.or_else(default)
    return default


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
