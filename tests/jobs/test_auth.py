from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from distillery.quota import Quota
from jobs.auth import ApiKey, Keyring, Scope, new_key
from jobs.settings import Settings, SettingsError


def entry(owner: str = "vision", **changes: Any) -> dict[str, Any]:
    _, made = new_key(owner, [Scope.READ])
    return made.model_dump(mode="json", include={"owner", "scopes", "sha256"}) | changes


def test_a_keyring_knows_its_keys_and_no_others() -> None:
    first, one = new_key("vision", [Scope.READ])
    second, other = new_key("audio", [Scope.ADMIN])
    keyring = Keyring([one, other])
    found = keyring.find(first)
    assert found is not None
    assert (found.owner, found.owner_filter, found.may(Scope.READ), found.may(Scope.SUBMIT)) == (
        "vision",
        "vision",
        True,
        False,
    )
    admin = keyring.find(second)
    assert admin is not None
    assert (admin.owner, admin.owner_filter, admin.may(Scope.SUBMIT)) == ("audio", None, True)
    for wrong in ("", first[:-1], first + "x", first.swapcase(), one.sha256, "\udcff", "é"):
        assert keyring.find(wrong) is None


def test_keys_are_never_the_same_and_are_not_kept() -> None:
    made = [new_key("vision", [Scope.READ]) for _ in range(20)]
    assert len({key for key, _ in made}) == len({stored.sha256 for _, stored in made}) == 20
    assert all(key not in repr(stored) for key, stored in made)


@pytest.mark.parametrize(
    "changes",
    [{"owner": ""}, {"owner": "a b"}, {"owner": "../x"}, {"owner": "a" * 101}, {"scopes": []}, {"scopes": ["write"]},
     {"sha256": "kd_plain"}, {"sha256": "A" * 64}, {"more": 1}, {"quota": {"runing": 1}}],
)  # fmt: skip
def test_an_entry_that_makes_no_sense_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ApiKey.model_validate(entry() | changes)


def test_keys_from_the_environment_and_from_a_file_are_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [entry(quota={"running": 2}), entry("audio")]
    path = tmp_path / "keys.json"
    path.write_text(json.dumps(rows))
    monkeypatch.setenv("KD_API_KEYS", json.dumps(rows))
    from_environment = Settings()
    monkeypatch.delenv("KD_API_KEYS")
    monkeypatch.setenv("KD_API_KEYS_FILE", str(path))
    assert Settings().api_keys == from_environment.api_keys
    assert [key.owner for key in from_environment.api_keys] == ["vision", "audio"]
    assert rows[0]["sha256"] not in repr(from_environment)
    monkeypatch.setenv("KD_API_KEYS", json.dumps(rows))
    with pytest.raises(SettingsError, match="both set"):
        Settings()


@pytest.mark.parametrize("source", ["KD_API_KEYS", "KD_API_KEYS_FILE"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kd_secret", "KD_API_KEYS"),
        ('[{"owner": "a", "scopes": ["read"], "sha256": "kd_secret"}]', "[0].sha256"),
        ('[{"owner": "kd_secret!", "scopes": ["read"], "sha256": "' + "a" * 64 + '"}]', "[0].owner"),
        ('{"kd_secret": 1}', "KD_API_KEYS"),
    ],
)
def test_what_is_wrong_is_named_and_no_key_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, text: str, says: str
) -> None:
    path = tmp_path / "keys.json"
    path.write_text(text)
    monkeypatch.setenv(source, str(path) if source.endswith("_FILE") else text)
    with pytest.raises(SettingsError) as refused:
        Settings()
    assert says in str(refused.value)
    assert source in str(refused.value)
    assert "kd_secret" not in str(refused.value)


def test_entries_that_contradict_each_other_are_refused() -> None:
    same = entry()
    with pytest.raises(SettingsError, match="twice"):
        Settings(api_keys=[same, same | {"owner": "audio"}])
    with pytest.raises(SettingsError, match="different quotas"):
        Settings(api_keys=[entry(quota={"running": 1}), entry(quota={"running": 2})])


def test_an_owners_quota_is_that_of_its_key_and_the_default_for_the_rest() -> None:
    keys = [entry(), entry(quota={"running": 2, "epochs": 7}), entry("audio")]
    settings = Settings(api_keys=keys, quota_running=5, quota_queued=100)
    assert settings.quota_of("vision") == Quota(running=2, queued=100, epochs=7, uploads=100)
    assert settings.quota_of("audio") == settings.quota_of("local") == Quota(running=5, queued=100, uploads=100)
