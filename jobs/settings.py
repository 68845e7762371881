"""Every setting of the service, in one class. A field `name` is read from the variable `KD_NAME`."""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, BeforeValidator, ByteSize, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings.exceptions import SettingsError as UnreadableVariable

from distillery.quota import Quota
from jobs import auth, broker, host_names
from jobs.auth import ApiKey
from jobs.environment import PREFIX, Environment, SettingsError, origin, secrets, variable

__all__ = ["Settings", "SettingsError", "variable"]

_MIB = 2**20
_LEAST_TRAINER = 256 * _MIB  # about what one holds before it has read anything


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


def _bucket_url(url: str) -> str:
    if not _BUCKET_URL.fullmatch(url):
        raise ValueError(
            "expected s3://BUCKET or s3://BUCKET/PREFIX; the server's address goes into AWS_ENDPOINT_URL, the "
            "credentials into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    return url


def _listed(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


# Absolute, because a trainer runs in a folder of its own.
_Folder = Annotated[Path, AfterValidator(_absolute)]
_File = _Folder
_BucketUrl = Annotated[str, AfterValidator(_bucket_url)]
_HostPatterns = Annotated[
    tuple[Annotated[str, AfterValidator(host_names.host_pattern)], ...], NoDecode, BeforeValidator(_listed)
]
_Origins = Annotated[tuple[Annotated[str, AfterValidator(host_names.origin)], ...], NoDecode, BeforeValidator(_listed)]
_Seconds = Annotated[float, Field(gt=0, allow_inf_nan=False)]
_BUCKET_URL = re.compile(r"s3://[0-9a-z][0-9a-z.-]+(/[0-9A-Za-z_-][0-9A-Za-z_.-]*)*/?", re.ASCII)


class Settings(BaseSettings):
    """The settings of api, worker and standalone alike; frozen.

    `Settings()` reads the environment; a keyword wins over it. A field with `repr=False` is a secret: it stays out of
    messages, and may stand in a file.

    Raises:
        SettingsError: a value cannot be used; the message names the variable.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, validate_default=True
    )

    home: _Folder = Field(Path("var"), description="Folder of everything that the service keeps; its owner's alone.")
    database_url: str = Field(
        default_factory=lambda values: f"sqlite:///{quote(str(values['home'] / 'distillery.db'))}",
        description="The database: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST/NAME`. "
        "Left out: a SQLite file in KD_HOME.",
        repr=False,
    )
    broker_url: Annotated[str, AfterValidator(broker.check_url)] = Field(
        "redis://127.0.0.1:6379/0",
        description="The broker that rings the workers: `redis://`, `rediss://`, `redis+socket://`, `amqp://` or "
        "`amqps://`.",
        repr=False,
    )
    data_dir: _Folder = Field(
        default_factory=lambda values: values["home"] / "data",
        description="Folder of the data sets. Left out: `data` in KD_HOME.",
    )
    download: bool = Field(True, description="Whether a data set that is missing may be downloaded.")
    artifacts_dir: _Folder = Field(
        default_factory=lambda values: values["home"] / "artifacts",
        description="Folder of results and checkpoints. Left out: `artifacts` in KD_HOME.",
    )
    artifacts_url: _BucketUrl | None = Field(
        None,
        description="S3-compatible storage in place of that folder: `s3://BUCKET` or `s3://BUCKET/PREFIX`; the rest "
        "of the connection is in the usual AWS_* variables. Left out: KD_ARTIFACTS_DIR.",
        repr=False,  # some write credentials into it, which is refused without showing them
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
    max_upload_bytes: int = Field(16 * 2**30, ge=1, description="Largest file that may be sent, in bytes.")
    page_size_max: int = Field(200, ge=1, description="Most entries on one page of a list.")
    sweep_trials: int = Field(500, ge=1, le=500, description="Most trials of one sweep.")
    max_streams: int = Field(2000, ge=1, le=20_000, description="Most event streams and waiting reads open at once.")
    max_uploads: int = Field(
        4,
        ge=1,
        le=30,
        description="Most files that one server of the API takes in at once; each holds up to 110 MB of its memory "
        "where files lie in a bucket, and 10 MB otherwise.",
    )
    max_downloads: int = Field(
        40,
        ge=1,
        description="Most files that one server of the API sends at once; each holds up to 9 MB of its memory where "
        "files lie in a bucket, and 2 MB otherwise.",
    )
    max_connections: int = Field(
        default_factory=lambda values: max(8192, 2 * values["max_streams"]),
        ge=10,
        le=60_000,
        description="Most connections to one server of the API, where its limit of open files allows so many. "
        "Left out: 8,192, or twice KD_MAX_STREAMS.",
    )
    allow_open: bool = Field(
        False, description="Serve without API keys on an address that others reach: for a proxy that asks for its own."
    )
    allowed_hosts: _HostPatterns = Field(
        (),
        description="Names that callers may know the service by, with commas between: `kd.example.org`, "
        "`*.example.org`, `*` for any. Without API keys, loopback names are taken besides. Left out: with keys any, "
        "without keys no other.",
    )
    allowed_origins: _Origins = Field(
        (),
        description="Origins of pages elsewhere that may use the API, with commas between: `https://dash.example.org`. "
        "Left out: none.",
    )
    api_keys: tuple[ApiKey, ...] = Field(
        (),
        description="JSON list of the keys that let callers in, hashed, as `python -m api new-key` prints them. "
        "Left out: no key is asked for.",
        repr=False,
    )

    quota_running: int | None = Field(
        None, ge=1, description="Jobs of one owner that run at the same time; more wait. Left out: no limit."
    )
    quota_queued: int | None = Field(
        None, ge=1, description="Jobs of one owner that wait or are paused; more are refused. Left out: no limit."
    )
    quota_bytes: int | None = Field(
        None,
        ge=1,
        description="Bytes of one owner's files, those on their way included; over it new jobs and files are refused. "
        "Left out: no limit.",
    )
    quota_epochs: int | None = Field(
        None, ge=1, description="Epochs planned by one owner's unfinished jobs together. Left out: no limit."
    )
    quota_uploads: int = Field(
        100, ge=1, description="Files of one owner on their way, in parts or in one request; more are refused."
    )

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="Device that this machine's workers train on, where a job leaves it open."
    )
    workers: int = Field(1, ge=1, description="Workers on this machine; each trains one job at a time.")
    threads: int | None = Field(
        None, ge=1, description="CPU threads of one trainer. Left out: the machine's cores shared among its workers."
    )
    trainer_memory: ByteSize | None = Field(
        None,
        ge=_LEAST_TRAINER,
        description="Memory that one trainer may hold, with all its processes: bytes, or with a unit, as `4GiB`. "
        "Left out: what the machine or the container has, less some for the service, shared among its workers.",
    )

    lease_seconds: _Seconds = Field(60.0, description="How long a worker holds a job without renewing its claim.")
    heartbeat_seconds: _Seconds = Field(10.0, description="How often a worker renews its claim.")
    stop_after_seconds: _Seconds = Field(
        40.0, description="A worker that could not renew its claim for so long stops its trainer."
    )
    reap_seconds: _Seconds = Field(
        5.0, description="How often a worker looks for leases that have ended, and for jobs that waited too long."
    )
    look_seconds: _Seconds = Field(5.0, description="How often an idle worker looks for jobs that wait.")
    record_seconds: _Seconds = Field(
        0.5,
        description="Shortest time between two records of what a trainer tells: progress, epochs, its log. "
        "The longer, the less there is to write.",
    )
    min_free_bytes: int | None = Field(
        None,
        ge=0,
        description="Room in the scratch folder, the cache and the artifacts folder below which a worker takes no job. "
        "Left out: 1 GiB, or a twentieth of the disk where that is less.",
    )
    stall_seconds: _Seconds = Field(
        600.0,
        description="A trainer that shows no progress for so long is ended; after a third of it the job is said to be "
        "stalled. A single training step must not take as long.",
    )
    check_seconds: _Seconds = Field(
        7200.0,
        description="Longest run of a job that looks at a data set or a network that was sent, where it names no time "
        "itself.",
    )
    max_lost_attempts: int = Field(3, ge=1, description="A job whose worker was lost so many times fails.")
    cancel_grace_seconds: _Seconds = Field(10.0, description="Time between asking a trainer to stop and killing it.")
    pulse_file: _File | None = Field(
        None,
        description="File that a worker touches while it is alive, for `python -m worker.liveness_file`. Left out: "
        "none.",
    )
    checkpoint_seconds: _Seconds = Field(
        30.0, description="Longest time between two checkpoints: what a crash can cost."
    )
    checkpoint_epochs: int | None = Field(
        None, ge=1, description="A checkpoint also after every so many epochs. Left out: by time alone."
    )
    checkpoints_kept: int = Field(
        2, ge=1, description="Checkpoints kept of a job; the older ones serve where the newest was damaged."
    )
    keep_days: float | None = Field(
        None,
        gt=0,
        allow_inf_nan=False,
        description="Jobs are deleted so long after their end, where they do not say it themselves. Left out: never.",
    )

    webhook_secret: str | None = Field(
        None,
        description="What messages to webhooks are signed with: `whsec_` and 24 to 64 random bytes in base64. "
        "Left out: none are sent.",
        repr=False,
    )
    webhook_private: bool = Field(
        False, description="Whether webhooks may lie on private networks and on this machine."
    )

    log_format: Literal["text", "json"] = Field(
        "text", description="How API and workers write their log: lines for people, or one JSON object a line."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least that is worth a line in that log."
    )
    metrics_port: int | None = Field(
        None,
        ge=0,
        le=65535,
        description="Port on which API and workers serve their metrics to Prometheus; 0 takes a free one. "
        "Left out: none are served.",
    )
    metrics_host: str = Field(
        "127.0.0.1",
        min_length=1,
        description="Address of that port. It asks for no key: on another address let only your Prometheus reach it.",
    )

    def __init__(self, **values: Any) -> None:
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise SettingsError(_explain(error)) from None
        except UnreadableVariable as error:
            field = re.search(r'field "(\w+)"', str(error))
            raise SettingsError(f"{origin(field[1])}: expected JSON" if field else str(error)) from None

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource, *_: Any, **__: Any
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, Environment(settings_cls)

    @model_validator(mode="after")
    def _lease_outlives_its_renewals(self) -> Self:
        # A worker that is cut off must stop before another one may take its job.
        if not self.heartbeat_seconds < self.stop_after_seconds < self.lease_seconds:
            raise ValueError(
                "KD_HEARTBEAT_SECONDS must be below KD_STOP_AFTER_SECONDS, and that below KD_LEASE_SECONDS; they are "
                f"{self.heartbeat_seconds:g}, {self.stop_after_seconds:g} and {self.lease_seconds:g}"
            )
        return self

    @model_validator(mode="after")
    def _secret_is_one(self) -> Self:
        if self.webhook_secret is not None and not _is_webhook_secret(self.webhook_secret):
            raise ValueError(
                "KD_WEBHOOK_SECRET is not 'whsec_' and 24 to 64 bytes in base64; make one with: "
                "echo whsec_$(head -c 32 /dev/urandom | base64)"
            )
        return self

    @model_validator(mode="after")
    def _keys_do_not_contradict(self) -> Self:
        auth.check_keys(self.api_keys)
        return self

    def quota_of(self, owner: str) -> Quota:
        """What an owner may have."""
        default = Quota(
            running=self.quota_running,
            queued=self.quota_queued,
            bytes=self.quota_bytes,
            epochs=self.quota_epochs,
            uploads=self.quota_uploads,
        )
        return auth.quota_of(self.api_keys, owner, default)

    @property
    def trainer_threads(self) -> int:
        """CPU threads of one trainer: `threads`, or this process's cores shared among the machine's workers."""
        return self.threads or max(1, _cores() // self.workers)


def _place(location: tuple[int | str, ...]) -> str:
    """Where in a list of entries, as `[0].scopes`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)


def _is_webhook_secret(text: str) -> bool:
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        return False
    return text.startswith("whsec_") and 24 <= len(key) <= 64


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _explain(error: ValidationError) -> str:
    return "; ".join(_line(detail) for detail in error.errors() if detail["type"] != "default_factory_not_called")


_SIZE = "expected a number of bytes, or one with a unit, as 4GiB or 500MB"


def _line(detail: ErrorDetails) -> str:
    message = _SIZE if detail["type"].startswith("byte_size") else detail["msg"].removeprefix("Value error, ")
    if not detail["loc"]:
        return message
    field = str(detail["loc"][0])
    value = "" if field in secrets(Settings) else f" is {detail['input']!r}"
    return f"{origin(field)}{_place(detail['loc'][1:])}{value}: {message}"
