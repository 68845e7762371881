"""How far a job that goes through images is: told now and then, and the moment at which it can be ended."""

from __future__ import annotations

import time
from collections.abc import Callable

from kd_engine.schema.errors import Interrupted
from kd_engine.schema.events import Event, Progress
from kd_engine.schema.phases import Phase

_EVERY_SECONDS = 0.5


class ImageProgress:
    """Hears of images that are done.

    Args:
        emit: hears the first, the last, and twice a second the others.
        should_stop: asked each time.
    """

    def __init__(self, phase: Phase, emit: Callable[[Event], None], should_stop: Callable[[], bool]) -> None:
        self._phase: Phase = phase
        self._emit, self._should_stop = emit, should_stop
        self._began, self._told = time.monotonic(), 0.0

    def __call__(self, done: int, images: int) -> None:
        """So many of so many are done.

        Raises:
            Interrupted: asked to stop.
        """
        now = time.monotonic()
        if done in (0, images) or now - self._told >= _EVERY_SECONDS:
            self._told = now
            left = (now - self._began) / done * (images - done) if done else None
            self._emit(Progress(phase=self._phase, repeat=0, epoch=0, step=done, steps=images, fraction=done / images,
                                seconds_remaining=left))  # fmt: skip
        if self._should_stop():
            raise Interrupted(f"stopped as asked, after {done:,} of {images:,} images.")
