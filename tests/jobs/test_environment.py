"""Secrets in files, and variables that no setting has."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from jobs.environment import in_file, secrets, variable, warn_of_unknown
from jobs.settings import Settings, SettingsError

SECRET = "whsec_" + "aHVzaA" * 6
VALUES = {
    "database_url": "postgresql://u:hush@h/d",
    "broker_url": "rediss://:hush@h/0",
    "api_keys": '[{"owner": "vision", "scopes": ["read"], "sha256": "' + "a" * 64 + '"}]',
    "webhook_secret": SECRET,
}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("KD_")]:
        monkeypatch.delenv(name)


def test_the_secrets_are_those_that_are_never_shown() -> None:
    assert set(VALUES) <= set(secrets(Settings))


@pytest.mark.parametrize("field", VALUES)
@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_file_says_what_the_variable_would(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, field: str, end: str
) -> None:
    monkeypatch.setenv(variable(field), VALUES[field])
    expected = Settings()
    monkeypatch.setenv(variable(field), "")  # as in a compose file that leaves it open
    path = tmp_path / "secret"
    path.write_bytes((VALUES[field] + end).encode())
    monkeypatch.setenv(in_file(variable(field)), str(path))

    assert Settings() == expected
    assert getattr(expected, field) != Settings.model_fields[field].get_default()


@pytest.mark.parametrize("field", VALUES)
def test_a_variable_and_its_file_are_one_too_many(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, field: str) -> None:
    path = tmp_path / "secret"
    path.write_text(VALUES[field])
    monkeypatch.setenv(variable(field), VALUES[field])
    monkeypatch.setenv(in_file(variable(field)), str(path))
    with pytest.raises(SettingsError, match=f"{variable(field)} and {variable(field)}_FILE are both set"):
        Settings()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, r"cannot read .*secret \(No such file or directory\)"),
        (b"", "secret is empty; expected what KD_BROKER_URL would hold"),
        (b" \n\n", "secret is empty"),
        (b"hush\xff", "secret is not text in UTF-8"),
    ],
)
def test_a_file_that_cannot_be_used_is_named_and_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, says: str
) -> None:
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("KD_BROKER_URL_FILE", str(path))
    with pytest.raises(SettingsError, match=f"KD_BROKER_URL_FILE: .*{says}") as refused:
        Settings()
    assert "hush" not in str(refused.value)


def test_a_folder_in_place_of_a_file_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KD_WEBHOOK_SECRET_FILE", str(tmp_path))
    with pytest.raises(SettingsError, match=r"KD_WEBHOOK_SECRET_FILE: cannot read .*Is a directory"):
        Settings()


def test_a_value_that_makes_no_sense_is_told_with_its_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("whsec_hush!")
    monkeypatch.setenv("KD_API_KEYS_FILE", str(path))
    with pytest.raises(SettingsError) as refused:
        Settings()
    assert str(refused.value) == f"KD_API_KEYS_FILE ({path}): expected JSON"


def test_what_is_no_secret_stands_in_no_file(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("KD_PORT_FILE", "/nowhere")
    assert Settings().port == 8000
    warn_of_unknown(Settings)
    assert "KD_PORT_FILE is no setting and was ignored; did you mean KD_PORT?" in caplog.text


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("KD_DATABSE_URL", "KD_DATABSE_URL is no setting and was ignored; did you mean KD_DATABASE_URL?"),
        ("KD_API_KEY_FILE", "did you mean KD_API_KEYS_FILE?"),
        ("KD_QQQ", "KD_QQQ is no setting and was ignored"),
    ],
)
def test_a_variable_that_no_setting_has_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, says: str
) -> None:
    monkeypatch.setenv(name, "hush")
    with caplog.at_level(logging.WARNING, "jobs.environment"):
        warn_of_unknown(Settings)
    assert says in caplog.text
    assert "hush" not in caplog.text


def test_known_variables_are_no_matter(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("KD_PORT", "8123")
    monkeypatch.setenv("kd_workers", "2")
    monkeypatch.setenv("PATH_KD_X", "1")
    assert (Settings().port, Settings().workers) == (8123, 2)
    warn_of_unknown(Settings)
    assert caplog.text == ""


def test_an_outdated_variable_sets_what_took_its_place_and_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("KD_SWEEP_SECONDS", "7")
    assert (Settings().reap_seconds, Settings().look_seconds) == (7, 7)

    monkeypatch.setenv("KD_LOOK_SECONDS", "3")
    monkeypatch.setenv("KD_REAP_SECONDS", "")
    assert (Settings().reap_seconds, Settings().look_seconds) == (7, 3)

    warn_of_unknown(Settings)
    assert "KD_SWEEP_SECONDS is outdated: set KD_REAP_SECONDS and KD_LOOK_SECONDS" in caplog.text
    assert "ignored" not in caplog.text


def test_a_mistake_in_an_outdated_variable_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_SWEEP_SECONDS", "soon")
    with pytest.raises(SettingsError, match="KD_SWEEP_SECONDS is 'soon'"):
        Settings()
