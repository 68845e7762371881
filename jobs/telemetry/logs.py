"""What the processes of the service write to their log: lines for people, or one JSON object a line.

    configure(settings)                 once, in a process's main
    with bound(job_id=..., attempt=1):  every line of the block carries these, in whatever module it is written
    threading.Thread(target=carried(f)) so do the lines of a thread that is made in the block

In text the messages themselves name their job; the fields are for machines.
"""

from __future__ import annotations

import contextvars
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from jobs.environment import warn_of_unknown

if TYPE_CHECKING:
    from jobs.settings import Settings

P = ParamSpec("P")
R = TypeVar("R")
_TEXT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_FIELDS: contextvars.ContextVar[Mapping[str, Any]] = contextvars.ContextVar("log_fields", default=_NOTHING)
# Their own line for every request would repeat what the service says better, or bury it.
_QUIET = ("httpcore", "httpx", "urllib3", "kombu", "amqp")


def configure(settings: Settings) -> None:
    """Makes every logger of this process, the libraries' too, write to standard error as the settings say."""
    handler = logging.StreamHandler()
    handler.setFormatter(json_formatter() if settings.log_format == "json" else logging.Formatter(_TEXT))
    logging.basicConfig(level=settings.log_level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)  # Python's own would be lines of another kind
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.root.level))
    warn_of_unknown(type(settings))  # the first moment at which a warning is a line like all others


@contextmanager
def bound(**fields: Any) -> Iterator[None]:
    """Lines of the block carry these fields, besides those of the blocks around it; None takes one away."""
    token = _FIELDS.set({**_FIELDS.get(), **fields})
    try:
        yield
    finally:
        _FIELDS.reset(token)


def carried(function: Callable[P, R]) -> Callable[P, R]:
    """`function`, for a thread: it runs with the fields and the trace that hold here and now."""
    return partial(contextvars.copy_context().run, function)


def fields() -> Mapping[str, Any]:
    """What a line that is written here carries."""
    return _FIELDS.get()


def json_formatter() -> logging.Formatter:
    """One JSON object a line: timestamp (RFC 3339, UTC), level, logger, message, the bound fields, exception."""
    # only where it is asked for
    from pythonjsonlogger.core import LogData
    from pythonjsonlogger.json import JsonFormatter

    class OneObject(JsonFormatter):
        def add_fields(self, log_data: LogData, record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
            # Nothing else of the record: what libraries hang on theirs (arguments, colours, requests) is not for here.
            moment = datetime.fromtimestamp(record.created, UTC)
            log_data["timestamp"] = moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
            log_data |= {"level": record.levelname, "logger": record.name, "message": record.message}
            log_data |= {key: value for key, value in fields().items() if value is not None}
            if message_dict.get("exc_info"):
                log_data["exception"] = message_dict["exc_info"]

    return OneObject()
