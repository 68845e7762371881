from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from jobs.database import Database
from jobs.settings import Settings, SettingsError, variable


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(variable(name), raising=False)


def test_everything_lies_in_the_home_folder_unless_said_otherwise(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert settings.database_url == f"sqlite:///{tmp_path}/distillery.db"
    assert settings.data_dir == tmp_path / "data"
    assert settings.artifacts_dir == tmp_path / "artifacts"
    assert settings.cache_dir == tmp_path / "cache"
    assert settings.runs_dir == tmp_path / "runs"
    assert Settings(home=tmp_path, data_dir=Path("/data")).data_dir == Path("/data")


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KD_HOME", str(tmp_path))
    monkeypatch.setenv("KD_PORT", "8123")
    monkeypatch.setenv("KD_DOWNLOAD", "false")
    monkeypatch.setenv("KD_DEVICE", "")  # as in `KD_DEVICE=${KD_DEVICE}` of a compose file
    settings = Settings()
    assert (settings.home, settings.port, settings.download, settings.device) == (tmp_path, 8123, False, "auto")
    assert Settings(port=9).port == 9


def test_relative_folders_become_absolute(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = Settings(home=Path("here"), cache_dir=Path("there"))
    assert (settings.home, settings.data_dir) == (tmp_path / "here", tmp_path / "here" / "data")
    assert settings.cache_dir == tmp_path / "there"


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("KD_PORT", "abc", "KD_PORT is 'abc': .* integer"),
        ("KD_PORT", "65536", "KD_PORT is '65536': .* less than or equal to 65535"),
        ("KD_DEVICE", "tpu", "KD_DEVICE is 'tpu': .* 'auto', 'cpu' or 'cuda'"),
        ("KD_LEASE_SECONDS", "nan", "KD_LEASE_SECONDS is 'nan'"),
        ("KD_WORKERS", "0", "KD_WORKERS is '0'"),
        (
            "KD_TRAINER_MEMORY",
            "4 bags",
            "KD_TRAINER_MEMORY is '4 bags': expected a number of bytes, or one with a unit",
        ),
        ("KD_TRAINER_MEMORY", "-1", "KD_TRAINER_MEMORY is '-1': expected a number of bytes, or one with a unit"),
        ("KD_TRAINER_MEMORY", "100MiB", "KD_TRAINER_MEMORY is '100MiB': .* greater than or equal to 268435456"),
        ("KD_DOWNLOAD", "perhaps", "KD_DOWNLOAD is 'perhaps'"),
        ("KD_LEASE_SECONDS", "30", "KD_STOP_AFTER_SECONDS, and that below KD_LEASE_SECONDS; they are 10, 40 and 30"),
    ],
)
def test_an_error_names_the_variable(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        Settings()


def test_all_wrong_variables_are_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KD_PORT", "abc")
    monkeypatch.setenv("KD_WORKERS", "none")
    with pytest.raises(SettingsError, match=r"KD_PORT .*KD_WORKERS "):
        Settings()


def test_an_unknown_keyword_is_refused() -> None:
    unknown: dict[str, Any] = {"prot": 8000}
    with pytest.raises(SettingsError, match="KD_PROT"):
        Settings(**unknown)


def test_passwords_are_not_shown() -> None:
    settings = Settings(database_url="postgresql://u:hush@h/d", broker_url="redis://:hush@h/0")
    assert "hush" not in repr(settings) + str(settings)
    with pytest.raises(SettingsError) as caught:
        Settings(database_url=["hush"])
    assert "KD_DATABASE_URL" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_settings_do_not_change() -> None:
    settings = Settings()
    with pytest.raises(ValidationError):
        settings.port = 1  # type: ignore[misc]


def test_a_trainer_gets_its_share_of_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert Settings().trainer_threads == 8
    assert Settings(workers=3).trainer_threads == 2
    assert Settings(workers=20).trainer_threads == 1
    assert Settings(workers=3, threads=5).trainer_threads == 5


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_the_default_database_can_be_opened(tmp_path: Path) -> None:
    database = Database(Settings(home=tmp_path / "a b%20ü#?x").database_url)
    database.migrate()
    database.dispose()
    assert (tmp_path / "a b%20ü#?x" / "distillery.db").exists()


@pytest.mark.parametrize("secret", ["hush", "whsec_hush!", "whsec_aHVzaA==", "aHVzaA" * 8])
def test_a_secret_that_is_none_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("KD_WEBHOOK_SECRET", secret)
    with pytest.raises(SettingsError) as caught:
        Settings()
    assert "KD_WEBHOOK_SECRET is not 'whsec_'" in str(caught.value)
    assert secret not in str(caught.value)


def test_a_secret_is_not_shown() -> None:
    secret = "whsec_" + "aHVzaA" * 6
    settings = Settings(webhook_secret=secret)
    assert settings.webhook_secret == secret
    assert secret not in repr(settings) + str(settings)
