"""Every setting of the service, in one class. A field `name` is read from the variable `KD_NAME`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

_PREFIX = "KD_"
_MIB = 2**20


class SettingsError(ValueError):
    """A setting has a value that cannot be used; the message names the variable."""


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


# Absolute, because a trainer runs in a folder of its own.
_Folder = Annotated[Path, AfterValidator(_absolute)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class Settings(BaseSettings):
    """The settings of api, worker and standalone alike; frozen.

    `Settings()` reads the environment; a keyword wins over it.

    Raises:
        SettingsError: a value cannot be used; the message names the variable.
    """

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, validate_default=True
    )

    home: _Folder = Field(Path("var"), description="Folder of everything that the service keeps.")
    database_url: str = Field(
        default_factory=lambda values: f"sqlite:///{quote(str(values['home'] / 'distillery.db'))}",
        description="The database: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`. "
        "Left out: a SQLite file in KD_HOME.",
        repr=False,
    )
    broker_url: str = Field("redis://127.0.0.1:6379/0", description="The Redis that rings the workers.", repr=False)
    data_dir: _Folder = Field(
        default_factory=lambda values: values["home"] / "data",
        description="Folder of the data sets. Left out: `data` in KD_HOME.",
    )
    download: bool = Field(True, description="Whether a data set that is missing may be downloaded.")
    artifacts_dir: _Folder = Field(
        default_factory=lambda values: values["home"] / "artifacts",
        description="Folder of results and checkpoints. Left out: `artifacts` in KD_HOME.",
    )
    cache_dir: _Folder = Field(
        default_factory=lambda values: values["home"] / "cache",
        description="Folder of trained teachers, their logits and decoded pictures; safe to empty. "
        "Left out: `cache` in KD_HOME.",
    )
    runs_dir: _Folder = Field(
        default_factory=lambda values: values["home"] / "runs",
        description="Scratch folder of running attempts. Left out: `runs` in KD_HOME.",
    )

    host: str = Field("127.0.0.1", min_length=1, description="Address that the API listens on.")
    port: int = Field(8000, ge=0, le=65535, description="Port that the API listens on; 0 takes a free one.")
    max_body_bytes: int = Field(_MIB, ge=1, description="Largest request body, in bytes.")
    page_size_max: int = Field(200, ge=1, description="Most entries on one page of a list.")

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Device that this machine's workers train on, where a job leaves it open."
    )
    workers: int = Field(1, ge=1, description="Workers on this machine; each trains one job at a time.")
    threads: int | None = Field(
        None, ge=1, description="CPU threads of one trainer. Left out: the machine's cores shared among its workers."
    )

    lease_seconds: _Seconds = Field(60.0, description="How long a worker holds a job without renewing its claim.")
    heartbeat_seconds: _Seconds = Field(10.0, description="How often a worker renews its claim.")
    stop_after_seconds: _Seconds = Field(
        40.0, description="A worker that could not renew its claim for so long stops its trainer."
    )
    ring_after_seconds: _Seconds = Field(15.0, description="A queued job that nobody claimed is rung again after this.")
    sweep_seconds: _Seconds = Field(5.0, description="How often lost and unclaimed jobs are looked for.")
    max_lost_attempts: int = Field(3, ge=1, description="A job whose worker was lost so many times fails.")
    cancel_grace_seconds: _Seconds = Field(10.0, description="Time between asking a trainer to stop and killing it.")
    checkpoint_seconds: _Seconds = Field(
        30.0, description="Longest time between two checkpoints: what a crash can cost."
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None
        except UnreadableVariable as error:
            raise SettingsError(str(error)) from None

    @model_validator(mode="after")
    def _lease_outlives_its_renewals(self) -> Self:
        # A worker that is cut off must stop before another one may take its job.
        if not self.heartbeat_seconds < self.stop_after_seconds < self.lease_seconds:
            raise ValueError(
                "KD_HEARTBEAT_SECONDS must be below KD_STOP_AFTER_SECONDS, and that below KD_LEASE_SECONDS; they are "
                f"{self.heartbeat_seconds:g}, {self.stop_after_seconds:g} and {self.lease_seconds:g}"
            )
        return self

    @property
    def trainer_threads(self) -> int:
        """CPU threads of one trainer: `threads`, or this process's cores shared among the machine's workers."""
        return self.threads or max(1, _cores() // self.workers)


def variable(field: str) -> str:
    """The name of the environment variable of a field."""
    return f"{_PREFIX}{field.upper()}"


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _explain(error: ValidationError) -> str:
    return "; ".join(_line(detail) for detail in error.errors() if detail["type"] != "default_factory_not_called")


def _line(detail: ErrorDetails) -> str:
    message = detail["msg"].removeprefix("Value error, ")
    if not detail["loc"]:
        return message
    # The URLs hold passwords, so their values stay out of messages.
    name = variable(str(detail["loc"][0]))
    value = "" if name.endswith("_URL") else f" is {detail['input']!r}"
    return f"{name}{value}: {message}"
