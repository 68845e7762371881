"""Room for a file on its way: of the most that a file may be, and of its owner's quota, which others use meanwhile."""

from __future__ import annotations

import time

from fastapi import Request
from starlette.concurrency import run_in_threadpool

from api.dependencies.context import Context
from api.http.errors import Problem
from distillery.quota import Quota

_MULTIPART = "multipart/form-data"
_STEP_BYTES = 2**26  # how much is reserved at once for a body that does not say how long it is
_RENEW_SECONDS = 300.0  # far below the hour after which a file in one request is forgotten


class Room:
    """Room for the body of one request; what it takes is reserved in the database before it is read.

    Args:
        upload_id: the file on its way.
        before: bytes of it that came with earlier requests.
    """

    def __init__(self, context: Context, quota: Quota, upload_id: str, before: int = 0) -> None:
        self._database, self._most = context.database, context.settings.max_upload_bytes
        self._quota, self._upload_id, self._before = quota, upload_id, before
        self._reserved, self._noted = 0, 0.0

    async def open(self, request: Request) -> None:
        """Reserves what the request announces.

        Raises:
            Problem: 413 for too many bytes, 415 for a form.
            OverQuota: more than is left of the quota.
            UploadNotFound: the upload was given up.
        """
        if request.headers.get("content-type", "").lower().startswith(_MULTIPART):
            raise Problem(
                "unsupported_media_type",
                "The body is a form; send the file itself as the body (with curl: -T FILE, or --data-binary @FILE).",
            )
        announced = request.headers.get("content-length", "")
        if announced.isdecimal():
            await self._reserve(int(announced), 0)
        else:
            await self._reserve(0, _STEP_BYTES)

    async def admit(self, size: int) -> None:
        """Lets the body go on to this size; raises as `open`."""
        if self._before + size > self._reserved:
            await self._reserve(size, _STEP_BYTES)
        elif time.monotonic() - self._noted > _RENEW_SECONDS:
            await self._reserve(self._reserved - self._before, 0)

    async def _reserve(self, size: int, more: int) -> None:
        least = self._before + size
        if least > self._most:
            message = f"The file is over {self._most:,} bytes, the most that is taken at once (KD_MAX_UPLOAD_BYTES)."
            raise Problem("body_too_large", message)
        self._reserved = await run_in_threadpool(self._note, least, min(self._most, least + more))
        self._noted = time.monotonic()

    def _note(self, least: int, most: int) -> int:
        with self._database.write() as repository:
            return repository.reserve(self._upload_id, least, most, self._quota)

    def settle(self, arrived: int) -> None:
        """Gives back what was reserved and has not come."""
        with self._database.write() as repository:
            repository.settle_upload(self._upload_id, arrived)
