"""Who may reach the service: without API keys nobody but this machine."""

from __future__ import annotations

from jobs.host_names import is_loopback
from jobs.settings import Settings, SettingsError


def check_reach(settings: Settings) -> None:
    """Raises SettingsError when others could reach the service and no key is asked for."""
    if settings.api_keys or settings.allow_open or is_loopback(settings.host):
        return
    raise SettingsError(
        f"KD_HOST is '{settings.host}', which other machines may reach, and there are no API keys. Make one with "
        "`python -m api new-key --owner NAME --scopes read,submit` and put the entry that it prints into KD_API_KEYS "
        "or KD_API_KEYS_FILE; or set KD_HOST=127.0.0.1; or KD_ALLOW_OPEN=true behind a proxy that asks for keys itself"
    )
