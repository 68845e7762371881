"""Ids: what a thing is, and a ULID, so that their order as text is the order in which they were made."""

from __future__ import annotations

import re
import secrets
import threading
import time

LOCAL = "local"
"""The owner of all jobs where there are no API keys."""

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O, U
_RANDOM_BITS = 80
_ULID_DIGITS = 26
_JOB_ID = re.compile(r"job_[0-9A-Za-z]{1,36}", re.ASCII)
_UPLOAD_ID = re.compile(r"up_[0-9A-Za-z]{1,37}", re.ASCII)
_DATASET_ID = re.compile(r"ds_[0-9A-Za-z]{1,37}", re.ASCII)
_MODEL_ID = re.compile(r"mdl_[0-9A-Za-z]{1,36}", re.ASCII)


class _Ulids:
    """ULIDs: 48 bits of milliseconds since 1970, then 80 random ones. Each is above all before it in the process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = 0

    def next(self) -> str:
        fresh = (time.time_ns() // 1_000_000) << _RANDOM_BITS | secrets.randbits(_RANDOM_BITS)
        with self._lock:
            # Within one millisecond, or when the clock went back: one more than the last.
            self._last = max(fresh, self._last + 1)
            number = self._last
        digits = []
        for _ in range(_ULID_DIGITS):
            number, digit = divmod(number, 32)
            digits.append(_ALPHABET[digit])
        return "".join(reversed(digits))


_ULIDS = _Ulids()


def new_id(kind: str) -> str:
    """An id whose order as text is the order in which such ids were made: `msg_...`."""
    return f"{kind}_{_ULIDS.next()}"


def new_job_id() -> str:
    return new_id("job")


def is_job_id(text: str) -> bool:
    """Whether a job could have this id; a text that cannot be one never reaches the database."""
    return _JOB_ID.fullmatch(text) is not None


def is_dataset_id(text: str) -> bool:
    """Whether a data set that was sent could have this id."""
    return _DATASET_ID.fullmatch(text) is not None


def is_model_id(text: str) -> bool:
    """Whether a network that was sent or kept could have this id."""
    return _MODEL_ID.fullmatch(text) is not None


def is_upload_id(text: str) -> bool:
    """Whether a file that is being sent in parts could have this id."""
    return _UPLOAD_ID.fullmatch(text) is not None


def names_files(text: str) -> bool:
    """Whether this service makes keys of files that begin so: those of jobs and of what was sent."""
    return is_job_id(text) or is_upload_id(text)
